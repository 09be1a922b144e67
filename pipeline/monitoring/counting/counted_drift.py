"""Detect the drift of counted rows by the rule of the monitor."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from pipeline.files import canonical_json
from pipeline.monitoring.counting.bin_counts_file import read_counts
from pipeline.monitoring.drift import DriftContext, detect_drift
from pipeline.monitoring.model_monitor import mean_importance
from pipeline.storage import StoragePath

if TYPE_CHECKING:
    from pipeline.config.root_config import Config
    from pipeline.monitoring.log import BinCounts
    from pipeline.package import Package

__all__ = ["DRIFT_NAME", "CountedDrift"]

DRIFT_NAME = "drift.json"


@dataclass(frozen=True)
class CountedDrift:
    """What counted rows are compared with: the training rows of the package, or other counts in the same bins.

    Parameters
    ----------
    package : Package
    config : Config
        Has the thresholds.
    baseline : BinCounts or None
        None for the training rows, as counted in the package.
    reference : str
        Name of the reference in the report.
    """

    package: Package
    config: Config
    baseline: BinCounts | None
    reference: str

    @classmethod
    def open(cls, package: Package, config: Config, *, reference: str | None) -> CountedDrift:
        """Return the comparison with the counts at an address; with the training rows when it is None.

        Raises
        ------
        DataError
            When there are no counts.
        UsageError
            When they are in the bins of another package.
        """
        if reference is None:
            return cls(package, config, None, "training")
        return cls(package, config, read_counts(StoragePath.parse(reference), package), reference)

    def report(self, folder: StoragePath) -> dict[str, Any]:
        """Return the drift of the counts in an output folder as plain values, and write it there as `drift.json`."""
        counts = self._with_reference_problems(read_counts(folder, self.package))
        context = DriftContext.from_config(self.config, self.package.schema, importance=mean_importance(self.package))
        report = detect_drift(self.package.reference, counts, context, baseline=self.baseline)
        values = {
            "package": self.package.digest,
            "reference": self.reference,
            "drift_detected": report.verdict == "drift",
            "drifted_features": list(report.drifted_columns),
            **report.as_dict(),
        }
        (folder / DRIFT_NAME).write_bytes(canonical_json(values).encode())
        return values

    def _with_reference_problems(self, counts: BinCounts) -> BinCounts:
        """Return counts that also list the columns that the reference lacks."""
        if self.baseline is None:
            return counts
        known = {*self.baseline.features, *self.baseline.outputs}
        reason = "the reference counts have no such column"
        absent = {name: reason for name in (*counts.features, *counts.outputs) if name not in known}
        return replace(counts, problems={**counts.problems, **absent})
