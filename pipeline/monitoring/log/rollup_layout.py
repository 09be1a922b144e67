"""Where each count of a package stands in the vectors of its roll-ups."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.monitoring.log.bin_counts import OUTPUTS, BinCounts
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
UNCOUNTED = "uncounted"  # rows of a package that is not to be had: only their number is kept
_LOG_LATENCY_BIN_WIDTH = math.log(1.05)
_N_LATENCY_BINS = 480  # a millionth of a second to four hours, each bin 5 % wider than the one before


@dataclass(frozen=True)
class RollupLayout:
    """The bins of one package, one after the other.

    - `features`: every feature in its finest bins;
    - `answers`: score, confidence, class, latency, and score by class;
    - `outcomes`: with two classes score by class by outcome, otherwise class by outcome; then, for each feature,
      its bins by class by outcome.
    """

    package: Package

    @cached_property
    def reference(self) -> Reference:
        """The reference as far as the log can be compared with it."""
        return loggable_reference(self.package)

    @cached_property
    def segment_sizes(self) -> dict[str, dict[str, int]]:
        """Number of counts of each section, by part, in their order."""
        made, k = self.reference, len(self.package.classes)
        n_score = made.score.finest.n_bins
        return {
            FEATURES: {bins.name: bins.finest.n_bins for bins in made.columns},
            PREDICTIONS: {
                "score": n_score,
                "confidence": made.confidence.finest.n_bins,
                "class": made.classes.finest.n_bins,
                "latency": _N_LATENCY_BINS,
                "said": n_score * k,
            },
            OUTCOMES: {
                "@all": (n_score if self.has_single_score else 1) * k * k,
                **{bins.name: bins.n_bins * k * k for bins in made.columns},
            },
        }

    @property
    def has_single_score(self) -> bool:
        """Whether one score tells the probabilities of all classes."""
        target = self.package.schema.target
        return target.is_binary and target.positive is not None

    def section_length(self, section: str) -> int:
        """Return how many counts a part has."""
        return sum(self.segment_sizes[section].values())

    def split_section(self, section: str, counts: Ints) -> dict[str, Ints]:
        """Return the counts of a part by section."""
        ends = np.cumsum(list(self.segment_sizes[section].values()))[:-1]
        return dict(zip(self.segment_sizes[section], np.split(counts, ends), strict=True))

    def bin_counts(self, features: RollupCounts, predictions: RollupCounts) -> BinCounts:
        """Return what `find_drift` compares."""
        said = self.split_section(PREDICTIONS, predictions.counts)
        return BinCounts(
            round(predictions.n_rows),
            self.split_section(FEATURES, features.counts),
            {name: said[name] for name in OUTPUTS},
        )

    def empty_tally(self, section: str) -> RollupCounts:
        """Return the tally of no rows."""
        return RollupCounts(0, 0.0, np.zeros(self.section_length(section), dtype=np.int64))

    def tally_by_section(self, rows: LogColumns, groups: Ints, n_groups: int) -> dict[str, list[RollupCounts]]:
        """Return the tallies of rows by part, one for each group.

        Parameters
        ----------
        rows : LoggedColumns
        groups : int, shape (n_rows,)
            Number of the group of each row, below `n_groups`.
        """
        placed = _TallyBuilder(groups, n_groups)
        coded = self._encode_rows(rows)
        total = np.bincount(groups, weights=rows.confidence, minlength=n_groups)
        outcomes = self._outcome_codes(coded)
        n_known = np.bincount(groups[coded["@outcome"] >= 0], minlength=n_groups)
        n_rows = np.bincount(groups, minlength=n_groups)
        features = [coded[name] for name in self.segment_sizes[FEATURES]]
        answers = [coded[f"@{name}"] for name in self.segment_sizes[PREDICTIONS]]
        return {
            FEATURES: placed.build_tallies(features, list(self.segment_sizes[FEATURES].values()), n_rows),
            PREDICTIONS: placed.build_tallies(answers, list(self.segment_sizes[PREDICTIONS].values()), n_rows, total),
            OUTCOMES: placed.build_tallies(outcomes, list(self.segment_sizes[OUTCOMES].values()), n_known),
        }

    def tally_outcomes(self, rows: LogColumns, groups: Ints, n_groups: int) -> list[RollupCounts]:
        """Return the tallies of the outcomes alone, one for each group."""
        coded = self._encode_rows(rows)
        n_known = np.bincount(groups[coded["@outcome"] >= 0], minlength=n_groups)
        sizes = list(self.segment_sizes[OUTCOMES].values())
        return _TallyBuilder(groups, n_groups).build_tallies(self._outcome_codes(coded), sizes, n_known)

    def _encode_rows(self, rows: LogColumns) -> dict[str, Ints]:
        """Return the bin of each row, by feature, and of what was said about it."""
        logged, made = LogBatch(rows, self.package), self.reference
        score = logged.score_codes(made.score)
        said = rows.prediction.codes_among(self.package.classes)
        k = len(self.package.classes)
        return {
            **logged.feature_codes(made),
            "@score": score,
            "@confidence": made.confidence.finest.codes(rows.confidence),
            "@class": np.where(said < 0, k, said),
            "@latency": _latency_codes(rows.latency_us),
            "@said": np.where(said < 0, -1, score * k + said),
            "@predicted": said,
            "@outcome": rows.outcome.codes_among(self.package.classes),
        }

    def _outcome_codes(self, coded: Mapping[str, Ints]) -> list[Ints]:
        k, said, known = len(self.package.classes), coded["@predicted"], coded["@outcome"]
        pair = np.where((said < 0) | (known < 0), -1, said * k + known)
        first = coded["@score"] if self.has_single_score else np.zeros(len(said), dtype=np.int64)
        codes = [first, *(self._coarsen_codes(bins, coded[bins.name]) for bins in self.reference.columns)]
        return [np.where((pair < 0) | (one < 0), -1, one * k * k + pair) for one in codes]

    @staticmethod
    def _coarsen_codes(bins: Any, codes: Ints) -> Ints:
        """Return positions in the bins for people from those in the finest."""
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
        tables = [self._count_table(one, size) for one, size in zip(codes, sizes, strict=True)]
        whole = np.concatenate(tables, axis=1) if tables else np.zeros((self.n_groups, 0), dtype=np.int64)
        sums = total if total is not None else np.zeros(self.n_groups)
        return [RollupCounts(int(n_rows[at]), float(sums[at]), whole[at]) for at in range(self.n_groups)]

    def _count_table(self, codes: Ints, size: int) -> Ints:
        # Rows that count nowhere, with -1, get a place of their own before the others of their group.
        places = self.groups * (size + 1) + codes + 1
        counts = np.bincount(places, minlength=self.n_groups * (size + 1)).reshape(self.n_groups, size + 1)
        return counts[:, 1:].astype(np.int64)


def _latency_codes(latency_us: Ints) -> Ints:
    codes = np.clip(np.log(np.maximum(latency_us, 1)) / _LOG_LATENCY_BIN_WIDTH, 0, _N_LATENCY_BINS - 1).astype(np.int64)
    return np.where(latency_us > 0, codes, -1)


def latency_quantile(counts: NDArray[Any], share: float) -> float | None:
    """Return the latency in milliseconds that a share of the rows stay below, within 2.5 %; None without rows."""
    total = float(counts.sum())
    if total == 0:
        return None
    at = int(np.searchsorted(np.cumsum(counts), share * total))
    return math.exp((min(at, len(counts) - 1) + 0.5) * _LOG_LATENCY_BIN_WIDTH) / 1000
