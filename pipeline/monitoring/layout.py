"""Where each count of a package stands in the vectors of its roll-ups."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.monitoring.counting import OUTPUTS, Counts
from pipeline.monitoring.logged import LoggedRows, logged_reference
from pipeline.state import Tally

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from pipeline.monitoring.columns import LoggedColumns
    from pipeline.package import Package, Reference

    Ints = NDArray[np.int64]

__all__ = ["ANSWERS", "FEATURES", "OUTCOMES", "UNCOUNTED", "Layout", "latency_quantile"]

FEATURES, ANSWERS, OUTCOMES = "features", "answers", "outcomes"
UNCOUNTED = "uncounted"  # rows of a package that is not to be had: only their number is kept
_LATENCY_STEP = math.log(1.05)
_N_LATENCY = 480  # a millionth of a second to four hours, each bin 5 % wider than the one before


@dataclass(frozen=True)
class Layout:
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
        return logged_reference(self.package)

    @cached_property
    def sections(self) -> dict[str, dict[str, int]]:
        """Number of counts of each section, by part, in their order."""
        made, k = self.reference, len(self.package.classes)
        n_score = made.score.finest.n_bins
        return {
            FEATURES: {bins.name: bins.finest.n_bins for bins in made.columns},
            ANSWERS: {
                "score": n_score,
                "confidence": made.confidence.finest.n_bins,
                "class": made.classes.finest.n_bins,
                "latency": _N_LATENCY,
                "said": n_score * k,
            },
            OUTCOMES: {
                "@all": (n_score if self.is_scored else 1) * k * k,
                **{bins.name: bins.n_bins * k * k for bins in made.columns},
            },
        }

    @property
    def is_scored(self) -> bool:
        """Whether one score tells the probabilities of all classes."""
        target = self.package.schema.target
        return target.is_binary and target.positive is not None

    def length(self, part: str) -> int:
        """Return how many counts a part has."""
        return sum(self.sections[part].values())

    def split(self, part: str, counts: Ints) -> dict[str, Ints]:
        """Return the counts of a part by section."""
        ends = np.cumsum(list(self.sections[part].values()))[:-1]
        return dict(zip(self.sections[part], np.split(counts, ends), strict=True))

    def counts(self, features: Tally, answers: Tally) -> Counts:
        """Return what `find_drift` compares."""
        said = self.split(ANSWERS, answers.counts)
        return Counts(
            round(answers.n_rows), self.split(FEATURES, features.counts), {name: said[name] for name in OUTPUTS}
        )

    def empty(self, part: str) -> Tally:
        """Return the tally of no rows."""
        return Tally(0, 0.0, np.zeros(self.length(part), dtype=np.int64))

    def tally(self, rows: LoggedColumns, groups: Ints, n_groups: int) -> dict[str, list[Tally]]:
        """Return the tallies of rows by part, one for each group.

        Parameters
        ----------
        rows : LoggedColumns
        groups : int, shape (n_rows,)
            Number of the group of each row, below `n_groups`.
        """
        placed = _Placed(groups, n_groups)
        coded = self._coded(rows)
        total = np.bincount(groups, weights=rows.confidence, minlength=n_groups)
        outcomes = self._outcomes(coded)
        n_known = np.bincount(groups[coded["@outcome"] >= 0], minlength=n_groups)
        n_rows = np.bincount(groups, minlength=n_groups)
        features = [coded[name] for name in self.sections[FEATURES]]
        answers = [coded[f"@{name}"] for name in self.sections[ANSWERS]]
        return {
            FEATURES: placed.tallies(features, list(self.sections[FEATURES].values()), n_rows),
            ANSWERS: placed.tallies(answers, list(self.sections[ANSWERS].values()), n_rows, total),
            OUTCOMES: placed.tallies(outcomes, list(self.sections[OUTCOMES].values()), n_known),
        }

    def outcomes(self, rows: LoggedColumns, groups: Ints, n_groups: int) -> list[Tally]:
        """Return the tallies of the outcomes alone, one for each group."""
        coded = self._coded(rows)
        n_known = np.bincount(groups[coded["@outcome"] >= 0], minlength=n_groups)
        sizes = list(self.sections[OUTCOMES].values())
        return _Placed(groups, n_groups).tallies(self._outcomes(coded), sizes, n_known)

    def _coded(self, rows: LoggedColumns) -> dict[str, Ints]:
        """Return the bin of each row, by feature, and of what was said about it."""
        logged, made = LoggedRows(rows, self.package), self.reference
        score = logged.score_codes(made.score)
        said = rows.prediction.codes(self.package.classes)
        k = len(self.package.classes)
        return {
            **logged.codes(made),
            "@score": score,
            "@confidence": made.confidence.finest.codes(rows.confidence),
            "@class": np.where(said < 0, k, said),
            "@latency": _latency_codes(rows.latency_us),
            "@said": np.where(said < 0, -1, score * k + said),
            "@predicted": said,
            "@outcome": rows.outcome.codes(self.package.classes),
        }

    def _outcomes(self, coded: Mapping[str, Ints]) -> list[Ints]:
        k, said, known = len(self.package.classes), coded["@predicted"], coded["@outcome"]
        pair = np.where((said < 0) | (known < 0), -1, said * k + known)
        first = coded["@score"] if self.is_scored else np.zeros(len(said), dtype=np.int64)
        codes = [first, *(self._coarse(bins, coded[bins.name]) for bins in self.reference.columns)]
        return [np.where((pair < 0) | (one < 0), -1, one * k * k + pair) for one in codes]

    @staticmethod
    def _coarse(bins: Any, codes: Ints) -> Ints:
        """Return positions in the bins for people from those in the finest."""
        if bins.grid is None or len(bins.points) < 2:
            return codes
        n = bins.grid.n_bins
        starts = np.searchsorted(bins.grid.points, bins.points[:-1])
        to = np.searchsorted(starts, np.arange(n - 3), side="right") - 1
        table = np.append(to, bins.n_bins - 3 + np.arange(3))
        return np.where(codes < 0, -1, table[codes])


@dataclass(frozen=True, slots=True)
class _Placed:
    groups: Ints
    n_groups: int

    def tallies(
        self, codes: Sequence[Ints], sizes: Sequence[int], n_rows: Ints, total: NDArray[Any] | None = None
    ) -> list[Tally]:
        tables = [self._table(one, size) for one, size in zip(codes, sizes, strict=True)]
        whole = np.concatenate(tables, axis=1) if tables else np.zeros((self.n_groups, 0), dtype=np.int64)
        sums = total if total is not None else np.zeros(self.n_groups)
        return [Tally(int(n_rows[at]), float(sums[at]), whole[at]) for at in range(self.n_groups)]

    def _table(self, codes: Ints, size: int) -> Ints:
        # Rows that count nowhere, with -1, get a place of their own before the others of their group.
        places = self.groups * (size + 1) + codes + 1
        counts = np.bincount(places, minlength=self.n_groups * (size + 1)).reshape(self.n_groups, size + 1)
        return counts[:, 1:].astype(np.int64)


def _latency_codes(latency_us: Ints) -> Ints:
    codes = np.clip(np.log(np.maximum(latency_us, 1)) / _LATENCY_STEP, 0, _N_LATENCY - 1).astype(np.int64)
    return np.where(latency_us > 0, codes, -1)


def latency_quantile(counts: NDArray[Any], share: float) -> float | None:
    """Return the latency in milliseconds that a share of the rows stay below, within 2.5 %; None without rows."""
    total = float(counts.sum())
    if total == 0:
        return None
    at = int(np.searchsorted(np.cumsum(counts), share * total))
    return math.exp((min(at, len(counts) - 1) + 0.5) * _LATENCY_STEP) / 1000
