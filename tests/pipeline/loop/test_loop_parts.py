"""Each part decides by itself; where nothing can happen, the loop gives the reason."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pipeline.errors import ConfigError, Conflict, MlopsError
from pipeline.loop.loop_parts import LoopPart, run_parts
from pipeline.state import LoopDecision
from tests.pipeline.loop.loop_project import context_of, deciding, put_in_production

if TYPE_CHECKING:
    from pipeline import state as store
    from pipeline.state import LoopContext

_DONE = LoopDecision("trial 1", "promote", "version 2 won")


def _failing(error: MlopsError) -> LoopPart:
    def advance(_context: LoopContext) -> list[LoopDecision]:
        raise error

    return LoopPart("trials", advance)


@pytest.mark.parametrize(
    "error", [Conflict("a person decided"), ConfigError("no such metric")], ids=["conflict", "settings"]
)
def test_an_error_of_a_part_is_its_decision_and_stops_no_other_part(state: store.State, error: MlopsError) -> None:
    put_in_production(state)
    decisions = run_parts(context_of(state), [_failing(error), deciding(_DONE)])
    assert decisions == (LoopDecision("trials", "fail", str(error), error=type(error).__name__), _DONE)


def test_nothing_happens_in_mode_off(state: store.State) -> None:
    put_in_production(state)
    (decision,) = run_parts(context_of(state, "off"), [deciding(_DONE)])
    assert (decision.action, decision.reason.partition(";")[0]) == ("none", "lifecycle.mode is off")


def test_nothing_happens_before_a_version_is_in_production(state: store.State) -> None:
    (decision,) = run_parts(context_of(state), [deciding(_DONE)])
    assert decision.action == "none"
    assert "is in Production; none is registered; run `dvc pull` or `dvc repro`" in decision.reason


def test_no_part_starts_after_the_run_was_ended(state: store.State) -> None:
    put_in_production(state)
    (decision,) = run_parts(context_of(state, is_stopped=True), [deciding(_DONE)])
    assert decision == LoopDecision("part", "none", "the run was ended before its turn")
