"""Report the stored importance of features by window, compared with the test rows of the package."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from itertools import groupby
from typing import TYPE_CHECKING, Any

from pipeline import state as store
from pipeline.modeling.row_importance import ImportanceSums
from pipeline.monitoring.importance.importance_change import ImportanceChange, compare_importance, importance_shares
from pipeline.state import HOUR_US
from pipeline.text import iso_timestamp

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.config.groups.monitoring_config import MonitoringConfig
    from pipeline.package import Package
    from pipeline.state import State

__all__ = ["ImportanceHistory", "ImportanceWindow", "importance_history"]


@dataclass(frozen=True, slots=True)
class ImportanceWindow:
    """Importance on the labeled rows of one window.

    Attributes
    ----------
    since, until : str
        ISO 8601, UTC.
    n_rows : int
        Labeled rows that were measured.
    shares : mapping of str to float
        Share of each feature in the importance of all.
    contributions : mapping of str to float
        Mean probability that moves to other classes when the feature is redrawn. No alert reads it.
    changes : tuple of ImportanceChange
        Against the test rows of the package.
    """

    since: str
    until: str
    n_rows: int
    shares: Mapping[str, float]
    contributions: Mapping[str, float]
    changes: tuple[ImportanceChange, ...]

    @property
    def changed_features(self) -> tuple[str, ...]:
        """The features whose importance differs from that on test rows."""
        return tuple(change.feature for change in self.changes if change.is_changed)

    def as_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return {**asdict(self), "changed_features": list(self.changed_features)}


@dataclass(frozen=True, slots=True)
class ImportanceHistory:
    """Importance of the features of one package: on its test rows, and in windows, oldest first."""

    reference_shares: Mapping[str, float]
    windows: tuple[ImportanceWindow, ...] = ()

    @classmethod
    def of_test_rows(cls, package: Package) -> ImportanceHistory:
        """Return the history without windows; without features for a rule baseline."""
        return cls(importance_shares({} if package.importance is None else package.importance.loss))

    @property
    def changed_features(self) -> tuple[str, ...]:
        """The features whose importance has changed in the last window."""
        return self.windows[-1].changed_features if self.windows else ()

    def as_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "changed_features": list(self.changed_features),
            "reference_shares": dict(self.reference_shares),
            "windows": [window.as_dict() for window in self.windows],
        }


def importance_history(
    state: State, model: str, package: Package, *, config: MonitoringConfig, since: int = 0
) -> ImportanceHistory:
    """Return the importance of a package's features in the windows that start at `since` or later."""
    reference = {} if package.importance is None else package.importance.loss
    with state.reading() as connection:
        rows = store.read_importances(connection, model, package.digest, since=since)
    windows = []
    for start, group in groupby(rows, key=lambda row: row.window_start):
        sums: dict[str, dict[str, ImportanceSums]] = {"loss": {}, "contribution": {}}
        for row in group:
            sums[row.kind][row.feature] = ImportanceSums(row.n_rows, row.total, row.total_squares)
        windows.append(
            ImportanceWindow(
                since=iso_timestamp(start),
                until=iso_timestamp(start + config.window_hours * HOUR_US),
                n_rows=max(feature.n_rows for feature in sums["loss"].values()),
                shares=importance_shares(sums["loss"]),
                contributions={name: feature.mean for name, feature in sums["contribution"].items()},
                changes=compare_importance(reference, sums["loss"], config.importance),
            )
        )
    return replace(ImportanceHistory.of_test_rows(package), windows=tuple(windows))
