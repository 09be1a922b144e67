"""Divide rows into the groups of protected columns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.fairness import Grouping, protected_columns
from pipeline.package.reference import column_bins

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from pipeline.package import Bins, Package

__all__ = ["ProtectedGroups", "group_protected_columns"]


@dataclass(frozen=True, slots=True)
class ProtectedGroups:
    """One grouping for each protected column and declared pair, and the reason by column that has none."""

    groupings: tuple[Grouping, ...]
    skipped: dict[str, str]


def group_protected_columns(
    package: Package,
    train: pd.DataFrame,
    frame: pd.DataFrame,
    *,
    pairs: Sequence[tuple[str, str]],
    n_bins: int,
) -> ProtectedGroups:
    """Return the groups of the rows of `frame`.

    A feature has the groups of its reference, so that live predictions fall into the same ones; missing values
    are a group.

    Parameters
    ----------
    package : Package
    train : DataFrame
        Rows that give a protected column its groups where it is no feature.
    frame : DataFrame
        Rows to divide, with the protected columns.
    pairs : sequence of two names
        Their combinations are groups, too.
    n_bins : int
        Groups between the quantiles of such a column of numbers.
    """
    bins_of = {bins.name: bins for bins in package.reference.columns}
    by_name: dict[str, Grouping] = {}
    skipped: dict[str, str] = {}
    for column in protected_columns(package.schema):
        bins: Bins | None = bins_of.get(column.name)
        if column.name not in frame or (bins is None and column.name not in train):
            skipped[column.name] = "the rows have no such column"
        elif bins is None and column.kind == "text":
            skipped[column.name] = "a free text has no groups"
        else:
            bins = bins if bins is not None else column_bins(column, train[column.name], n_bins)
            by_name[column.name] = Grouping((column.name,), bins.labels, bins.codes(frame[column.name]))
    known = [(left, right) for left, right in pairs if left in by_name and right in by_name]
    crossed = (by_name[left].crossed(by_name[right]) for left, right in known)
    return ProtectedGroups((*by_name.values(), *crossed), skipped)
