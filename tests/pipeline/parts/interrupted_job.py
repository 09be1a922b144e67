"""A job around another one that notes each run of a part, and holds some parts until they are released."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from pipeline.engines import PartEngine
    from pipeline.parts import Part, PartJob, PartOutput, PartPlan, PartRecord
    from pipeline.storage import StoragePath

__all__ = ["InterruptedJob"]

_TIMEOUT_S = 240


@dataclass(frozen=True)
class InterruptedJob:
    """Runs `job`; the parts `held` write their process and wait for `release`, which also holds for later runs."""

    job: PartJob
    runs: Path
    held: tuple[int, ...] = ()

    @property
    def name(self) -> str:
        return self.job.name

    def run(self, plan: PartPlan, part: Part, output: PartOutput) -> Mapping[str, Any]:
        with (self.runs / f"{part.number}.runs").open("a") as stream:
            stream.write("x")
        if part.number in self.held:
            new = self.runs / f"{part.number}.{os.getpid()}.new"
            new.write_text(str(os.getpid()), encoding="utf-8")
            new.replace(self.runs / f"{part.number}.pid")
            self._wait_for(self.runs / f"{part.number}.go")
        return self.job.run(plan, part, output)

    def finish(
        self, plan: PartPlan, records: Sequence[PartRecord], folder: StoragePath, engine: PartEngine
    ) -> Mapping[str, Any]:
        return self.job.finish(plan, records, folder, engine)

    def held_process(self, number: int) -> int:
        """Return the process that holds a part."""
        path = self.runs / f"{number}.pid"
        self._wait_for(path)
        return int(path.read_text(encoding="utf-8"))

    def wait_for_runs(self, number: int, *, n_runs: int) -> None:
        """Return when a part was started as often."""
        self._wait_until(lambda: self.n_runs().get(number, 0) >= n_runs, f"runs of part {number}")

    def release(self, number: int) -> None:
        """Let a part run."""
        (self.runs / f"{number}.go").touch()

    def n_runs(self) -> dict[int, int]:
        """Return how often each part was started."""
        return {int(path.stem): path.stat().st_size for path in self.runs.glob("*.runs")}

    def _wait_for(self, path: Path) -> None:
        self._wait_until(path.exists, path.name)

    @staticmethod
    def _wait_until(is_true: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + _TIMEOUT_S
        while not is_true():
            assert time.monotonic() < deadline, f"{what}: did not come"
            time.sleep(0.02)
