"""Judge drift of any version over any windows: against training or against an earlier window, and slot by slot."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from pipeline.monitoring.judging import find_drift
from pipeline.monitoring.logged import logged_reference
from pipeline.monitoring.values import known_importance
from pipeline.monitoring.windows import window_counts, window_of
from pipeline.state import HOUR_US

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from pipeline.config.types import Config
    from pipeline.monitoring.counting import Counts
    from pipeline.monitoring.findings import DriftReport
    from pipeline.package import Package
    from pipeline.state import State

__all__ = ["SlotFinding", "compare_windows", "drift_by_time"]


@dataclass(frozen=True, slots=True)
class SlotFinding:
    """The verdict on one column in [at, until), in microseconds since 1970; `value` is in the unit of `limit`.

    `missing` is the share of rows that lack the column; None where that cannot be.
    """

    at: int
    until: int
    n_rows: int
    column: str
    verdict: str
    value: float | None
    limit: float | None
    words: str
    missing: float | None


def compare_windows(
    state: State,
    package: Package,
    config: Config,
    *,
    root: Path,
    window: tuple[int, int],
    before: tuple[int, int] | None = None,
) -> DriftReport:
    """Return the verdict on each column of what one package answered in a window.

    Parameters
    ----------
    state : State
        Its roll-ups are those that are there; `roll_up` brings them up to date.
    package : Package
        Any version of the model that `config` names.
    config : Config
    root : Path
        Folder of the project, for the importance of columns.
    window : (since, until)
        In microseconds since 1970.
    before : (since, until), optional
        The earlier window to compare with; the training rows when None.
    """
    baseline = None
    if before is not None:
        baseline = _counts(state, package, config, before)
    current = _counts(state, package, config, window)
    importance = known_importance(root, package.digest)
    more: dict[str, Any] = {**_limits(package, config), "baseline": baseline, "importance": importance}
    return find_drift(logged_reference(package), current, config.drift, **more)


def drift_by_time(
    state: State,
    package: Package,
    config: Config,
    *,
    until: int,
    slot_hours: int,
    n_slots: int,
    columns: Collection[str],
) -> list[SlotFinding]:
    """Return the verdict against the training rows on each of `columns` in each of `n_slots` slots of whole hours.

    The last slot is the one in which `until` (microseconds since 1970) lies. Slots without any row are left out.
    """
    full = logged_reference(package)
    reference = replace(full, columns=tuple(one for one in full.columns if one.name in columns))
    slot = slot_hours * HOUR_US
    end = -(-until // slot) * slot
    found = []
    for at in range(end - n_slots * slot, end, slot):
        counts = _counts(state, package, config, (at, at + slot))
        if not counts.n_rows:
            continue
        report = find_drift(reference, counts, config.drift, **_limits(package, config))
        found += [
            SlotFinding(
                at, at + slot, counts.n_rows, one.column, one.verdict, one.value, one.limit, one.words,
                one.statistics.get("missing_now"),
            )
            for one in report.findings
        ]  # fmt: skip
    return found


def _counts(state: State, package: Package, config: Config, window: tuple[int, int]) -> Counts:
    asked = window_of(state, config.name, since=window[0], until=window[1])
    return window_counts(state, config.name, package, asked)


def _limits(package: Package, config: Config) -> dict[str, Any]:
    own = {one.name: one.drift_limit for one in package.schema.columns if one.drift_limit is not None}
    return {"min_rows": config.monitoring.min_rows, "limits": own}
