"""What each part of the loop gets: the database, the settings, the project and the moment of the run."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from pipeline.state.loop_runs import LOOP_ACTOR

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pipeline.config.root_config import Config
    from pipeline.state.database import State

__all__ = ["LoopContext", "LoopMode"]

LoopMode = Literal["off", "advise", "act"]


@dataclass(frozen=True, slots=True)
class LoopContext:
    """The inputs of a part in one run of the loop.

    Attributes
    ----------
    state : State
    config : Config
    root : Path
        The project's folder.
    now : int
        When the run began; microseconds since 1970, UTC.
    mode : "off", "advise" or "act"
        What the part may do: nothing, write proposals, or carry them out.
    actor : str
        Who decides, for the audit trail.
    should_stop : callable
        Whether the run shall end: a signal arrived, or another process has the lease. A long step asks it each second.
    """

    state: State
    config: Config
    root: Path
    now: int
    mode: LoopMode
    actor: str = LOOP_ACTOR
    should_stop: Callable[[], bool] = field(default=lambda: False)

    @property
    def model(self) -> str:
        """Name of the model."""
        return self.config.name

    @property
    def may_act(self) -> bool:
        """Whether a decision is carried out without a person."""
        return self.mode == "act"
