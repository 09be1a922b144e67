"""Lay out the counts of a package in the vectors of its roll-ups."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.monitoring.log.bin_counts import PREDICTION_OUTPUTS, BinCounts
from pipeline.monitoring.log.log_batch import LogBatch, loggable_reference
from pipeline.state import RollupCounts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from pipeline.monitoring.log.log_batch import LogColumns
    from pipeline.package import Package, Reference

    Ints = NDArray[np.int64]

__all__ = ["FEATURES", "OUTCOMES", "PREDICTIONS", "UNCOUNTED", "RollupLayout", "latency_quantile"]

FEATURES, PREDICTIONS, OUTCOMES = "features", "predictions", "outcomes"
UNCOUNTED = "uncounted"  # rows of a package that cannot be loaded: only their number is stored
_LOG_LATENCY_BIN_WIDTH = math.log(1.05)
_N_LATENCY_BINS = 480  # a microsecond to four hours, each bin 5 % wider than the previous one


@dataclass(frozen=True)
class RollupLayout:
    """The bins of one package in one vector for each section.

    - `FEATURES`: every feature in its finest bins, then every measure of a text;
    - `PREDICTIONS`: score, confidence, class, latency, and score by class;
    - `OUTCOMES`: with two classes score by class by outcome, otherwise class by outcome; then, for each feature,
      its bins by class by outcome.
    """

    package: Package

    @cached_property
    def reference(self) -> Reference:
        """The reference, limited to the columns that the log stores."""
        return loggable_reference(self.package)

    @cached_property
    def segment_sizes(self) -> dict[str, dict[str, int]]:
        """Number of counts of each segment, by section, in their order."""
        reference, k = self.reference, len(self.package.classes)
        n_score = reference.score.finest.n_bins
        return {
            FEATURES: {bins.name: bins.finest.n_bins for bins in reference.monitored},
            PREDICTIONS: {
                "score": n_score,
                "confidence": reference.confidence.finest.n_bins,
                "class": reference.classes.finest.n_bins,
                "latency": _N_LATENCY_BINS,
                "score_by_class": n_score * k,
            },
            OUTCOMES: {
                "@all": (n_score if self.has_single_score else 1) * k * k,
                **{bins.name: bins.n_bins * k * k for bins in reference.columns},
            },
        }

    @property
    def has_single_score(self) -> bool:
        """Whether one score determines the probabilities of all classes."""
        target = self.package.schema.target
        return target.is_binary and target.positive is not None

    def section_length(self, section: str) -> int:
        """Return the number of counts of a section."""
        return sum(self.segment_sizes[section].values())

    def split_section(self, section: str, counts: Ints) -> dict[str, Ints]:
        """Return the counts of a section by segment."""
        ends = np.cumsum(list(self.segment_sizes[section].values()))[:-1]
        return dict(zip(self.segment_sizes[section], np.split(counts, ends), strict=True))

    def bin_counts(self, features: RollupCounts, predictions: RollupCounts) -> BinCounts:
        """Return the counts that `detect_drift` compares."""
        segments = self.split_section(PREDICTIONS, predictions.counts)
        return BinCounts(
            round(predictions.n_rows),
            self.split_section(FEATURES, features.counts),
            {name: segments[name] for name in PREDICTION_OUTPUTS},
        )

    def empty_tally(self, section: str) -> RollupCounts:
        """Return the tally of no rows."""
        return RollupCounts(0, 0.0, np.zeros(self.section_length(section), dtype=np.int64))

    def tally_by_section(self, rows: LogColumns, groups: Ints, n_groups: int) -> dict[str, list[RollupCounts]]:
        """Return the tallies of rows by section, one for each group.

        Parameters
        ----------
        rows : LogColumns
        groups : int, shape (n_rows,)
            Number of the group of each row, below `n_groups`.
        """
        builder = _TallyBuilder(groups, n_groups)
        codes = self._encode_rows(rows)
        confidence_sums = np.bincount(groups, weights=rows.confidence, minlength=n_groups)
        n_outcomes = np.bincount(groups[codes["@outcome"] >= 0], minlength=n_groups)
        n_rows = np.bincount(groups, minlength=n_groups)
        features = [codes[name] for name in self.segment_sizes[FEATURES]]
        predictions = [codes[f"@{name}"] for name in self.segment_sizes[PREDICTIONS]]
        sizes = {section: list(segments.values()) for section, segments in self.segment_sizes.items()}
        return {
            FEATURES: builder.build_tallies(features, sizes[FEATURES], n_rows),
            PREDICTIONS: builder.build_tallies(predictions, sizes[PREDICTIONS], n_rows, confidence_sums),
            OUTCOMES: builder.build_tallies(self._outcome_codes(codes), sizes[OUTCOMES], n_outcomes),
        }

    def tally_outcomes(self, rows: LogColumns, groups: Ints, n_groups: int) -> list[RollupCounts]:
        """Return the tallies of the outcomes alone, one for each group."""
        codes = self._encode_rows(rows)
        n_outcomes = np.bincount(groups[codes["@outcome"] >= 0], minlength=n_groups)
        sizes = list(self.segment_sizes[OUTCOMES].values())
        return _TallyBuilder(groups, n_groups).build_tallies(self._outcome_codes(codes), sizes, n_outcomes)

    def _encode_rows(self, rows: LogColumns) -> dict[str, Ints]:
        """Return the bin of each row by feature, and by each property of its prediction with an `@`."""
        batch, reference = LogBatch(rows, self.package), self.reference
        score = batch.score_codes(reference.score)
        predicted = rows.prediction.codes_among(self.package.classes)
        k = len(self.package.classes)
        return {
            **batch.feature_codes(reference),
            "@score": score,
            "@confidence": reference.confidence.finest.codes(rows.confidence),
            "@class": np.where(predicted < 0, k, predicted),
            "@latency": _latency_codes(rows.latency_us),
            "@score_by_class": np.where(predicted < 0, -1, score * k + predicted),
            "@predicted": predicted,
            "@outcome": rows.outcome.codes_among(self.package.classes),
        }

    def _outcome_codes(self, codes: Mapping[str, Ints]) -> list[Ints]:
        k, predicted, outcome = len(self.package.classes), codes["@predicted"], codes["@outcome"]
        pair = np.where((predicted < 0) | (outcome < 0), -1, predicted * k + outcome)
        score = codes["@score"] if self.has_single_score else np.zeros(len(predicted), dtype=np.int64)
        by_column = [score, *(self.coarsen_codes(bins, codes[bins.name]) for bins in self.reference.columns)]
        return [np.where((pair < 0) | (column < 0), -1, column * k * k + pair) for column in by_column]

    @staticmethod
    def coarsen_codes(bins: Any, codes: Ints) -> Ints:
        """Return positions in the bins of `bins` from those in its finest bins."""
        if bins.grid is None or len(bins.points) < 2:
            return codes
        n = bins.grid.n_bins
        starts = np.searchsorted(bins.grid.points, bins.points[:-1])
        to = np.searchsorted(starts, np.arange(n - 3), side="right") - 1
        table = np.append(to, bins.n_bins - 3 + np.arange(3))
        return np.where(codes < 0, -1, table[codes])


@dataclass(frozen=True, slots=True)
class _TallyBuilder:
    groups: Ints
    n_groups: int

    def build_tallies(
        self, codes: Sequence[Ints], sizes: Sequence[int], n_rows: Ints, total: NDArray[Any] | None = None
    ) -> list[RollupCounts]:
        tables = [self._count_table(column, size) for column, size in zip(codes, sizes, strict=True)]
        counts = np.concatenate(tables, axis=1) if tables else np.zeros((self.n_groups, 0), dtype=np.int64)
        sums = total if total is not None else np.zeros(self.n_groups)
        return [RollupCounts(int(n_rows[i]), float(sums[i]), counts[i]) for i in range(self.n_groups)]

    def _count_table(self, codes: Ints, size: int) -> Ints:
        # Rows with code -1 get a place of their own before the others of their group; it is cut off below.
        places = self.groups * (size + 1) + codes + 1
        counts = np.bincount(places, minlength=self.n_groups * (size + 1)).reshape(self.n_groups, size + 1)
        return counts[:, 1:].astype(np.int64)


def _latency_codes(latency_us: Ints) -> Ints:
    codes = np.clip(np.log(np.maximum(latency_us, 1)) / _LOG_LATENCY_BIN_WIDTH, 0, _N_LATENCY_BINS - 1).astype(np.int64)
    return np.where(latency_us > 0, codes, -1)


def latency_quantile(counts: NDArray[Any], share: float) -> float | None:
    """Return the quantile of the latency in milliseconds, within 2.5 %; None without rows."""
    total = float(counts.sum())
    if total == 0:
        return None
    i = int(np.searchsorted(np.cumsum(counts), share * total))
    return math.exp((min(i, len(counts) - 1) + 0.5) * _LOG_LATENCY_BIN_WIDTH) / 1000
