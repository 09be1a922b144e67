"""Judge drift of any version over any windows: against training or against an earlier window, and slot by slot."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from pipeline.monitoring.drift.detection import detect_drift
from pipeline.monitoring.log.log_batch import loggable_reference
from pipeline.monitoring.log.log_window import window_by_time, window_counts
from pipeline.monitoring.log.record import read_feature_importance
from pipeline.state import HOUR_US

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from pipeline.config.root_config import Config
    from pipeline.monitoring.drift.drift_report import DriftReport
    from pipeline.monitoring.log.bin_counts import BinCounts
    from pipeline.package import Package
    from pipeline.state import State

__all__ = ["IntervalDrift", "drift_between_windows", "drift_by_time"]


@dataclass(frozen=True, slots=True)
class IntervalDrift:
    """The verdict on one column in [at, until), in microseconds since 1970; `value` is in the unit of `limit`.

    `missing` is the share of rows that lack the column; None where that cannot be.
    """

    since: int
    until: int
    n_rows: int
    column: str
    verdict: str
    value: float | None
    threshold: float | None
    summary: str
    missing_share: float | None


def drift_between_windows(
    state: State,
    package: Package,
    config: Config,
    *,
    root: Path,
    window: tuple[int, int],
    previous_window: tuple[int, int] | None = None,
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
    if previous_window is not None:
        baseline = _package_window_counts(state, package, config, previous_window)
    current = _package_window_counts(state, package, config, window)
    importance = read_feature_importance(root, package.digest)
    more: dict[str, Any] = {**_detection_options(package, config), "baseline": baseline, "importance": importance}
    return detect_drift(loggable_reference(package), current, config.drift, **more)


def drift_by_time(
    state: State,
    package: Package,
    config: Config,
    *,
    until: int,
    interval_hours: int,
    n_intervals: int,
    columns: Collection[str],
) -> list[IntervalDrift]:
    """Return the verdict against the training rows on each of `columns` in each of `n_slots` slots of whole hours.

    The last slot is the one in which `until` (microseconds since 1970) lies. Slots without any row are left out.
    """
    full = loggable_reference(package)
    reference = replace(full, columns=tuple(one for one in full.columns if one.name in columns))
    slot = interval_hours * HOUR_US
    end = -(-until // slot) * slot
    found = []
    for at in range(end - n_intervals * slot, end, slot):
        counts = _package_window_counts(state, package, config, (at, at + slot))
        if not counts.n_rows:
            continue
        report = detect_drift(reference, counts, config.drift, **_detection_options(package, config))
        found += [
            IntervalDrift(
                at, at + slot, counts.n_rows, one.column, one.verdict, one.value, one.threshold, one.summary,
                one.statistics.get("missing_now"),
            )
            for one in report.findings
        ]  # fmt: skip
    return found


def _package_window_counts(state: State, package: Package, config: Config, window: tuple[int, int]) -> BinCounts:
    asked = window_by_time(state, config.name, since=window[0], until=window[1])
    return window_counts(state, config.name, package, asked)


def _detection_options(package: Package, config: Config) -> dict[str, Any]:
    own = {one.name: one.drift_limit for one in package.schema.columns if one.drift_limit is not None}
    return {"min_rows": config.monitoring.min_rows, "limits": own}
