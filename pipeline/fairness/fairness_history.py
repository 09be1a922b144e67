"""Keep the groups of each monitor run as plain rows, and follow a group over the runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipeline.fairness.fairness_text import fairness_rows

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

__all__ = ["GroupMoment", "group_moments", "recorded_groups"]

_KEPT = ("column", "group", "metric", "of_class", "value", "others", "effect", "low", "high", "n_rows", "verdict")
_MAX_ROWS = 60  # a run every five minutes is recorded for a month


@dataclass(frozen=True, slots=True)
class GroupMoment:
    """One metric of one group in the window of one monitor run; `effect` and its bounds are None if unknown.

    Attributes
    ----------
    until : int
        End of the window, in microseconds since 1970, UTC.
    n_rows : int or None
        None where the number is too small to be shown.
    """

    until: int
    group: str
    effect: float | None
    low: float | None
    high: float | None
    n_rows: int | None
    verdict: str

    @property
    def has_enough_rows(self) -> bool:
        """Whether the window decides about the group."""
        return self.verdict != "not_enough_data" and self.effect is not None


def recorded_groups(report: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the metrics of groups that a monitor run records: at most 60, those with a finding first."""
    rows = [{name: row[name] for name in _KEPT} for row in fairness_rows(report) if row["metric"]]
    order = ("fail", "watch", "pass", "not_enough_data")
    return sorted(rows, key=lambda row: order.index(row["verdict"]))[:_MAX_ROWS]


def group_moments(
    runs: Iterable[tuple[int, Sequence[Mapping[str, Any]]]], *, column: str, metric: str, of_class: str | None
) -> list[GroupMoment]:
    """Return the moments of all groups of a column by a metric, in the order of the runs.

    Parameters
    ----------
    runs : iterable of (end of the window, recorded groups)
    column : str
        A column, or `a and b` for a pair.
    metric : str
    of_class : str or None
    """
    return [
        GroupMoment(until, row["group"], row["effect"], row["low"], row["high"], row["n_rows"], row["verdict"])
        for until, rows in runs
        for row in rows
        if (row["column"], row["metric"], row["of_class"]) == (column, metric, of_class)
    ]
