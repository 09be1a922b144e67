"""Count logged predictions by hour in the bins of the package that gave them, and read any window back as counts."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline import state as store
from pipeline.errors import Conflict
from pipeline.monitoring.counting import OUTPUTS, Counts, count_window

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pipeline.package import Package, Reference
    from pipeline.state import State

__all__ = ["HOUR_US", "LoggedRows", "logged_reference", "rebuild", "roll_up", "window_counts"]

HOUR_US = 3_600_000_000
_AT_ONCE = 20_000
_N_ROWS = "@rows"
_PREFIX = "@"  # what is counted of predictions; a feature's name is kept as "=name"


def logged_reference(package: Package) -> Reference:
    """Return the package's reference as far as the log can be compared with it.

    A column that the log keeps as bins has no grid here; one that it hashes or drops is left out.
    """
    kept = []
    for bins in package.reference.columns:
        policy = package.schema.column(bins.name).store
        if policy in ("full", "bin"):
            kept.append(bins if policy == "full" else replace(bins, grid=None))
    return replace(package.reference, columns=tuple(kept))


@dataclass(frozen=True, slots=True)
class LoggedRows:
    """Rows of the log that one package gave, as columns."""

    rows: Sequence[Any]
    package: Package

    def probabilities(self) -> np.ndarray[Any, np.dtype[np.float64]]:
        """Return the logged probabilities in the order of the package's classes, shape (n_rows, n_classes)."""
        said = [json.loads(row.probabilities) for row in self.rows]
        table = [[float(one.get(name, 0.0)) for name in self.package.classes] for one in said]
        return np.array(table, dtype=np.float64).reshape(len(table), len(self.package.classes))

    def counts(self, reference: Reference) -> Counts:
        """Return the counts of the rows; `reference` is that of `logged_reference`."""
        columns = self.features()
        plain = {name: values for name, values in columns.items() if not _is_binned(values)}
        full = replace(reference, columns=tuple(one for one in reference.columns if one.name in plain))
        probabilities, target = self.probabilities(), self.package.schema.target
        score = (
            probabilities.max(axis=1)
            if target.positive is None
            else probabilities[:, target.classes.index(target.positive)]
        )
        found = count_window(
            full,
            plain,
            n_rows=len(self.rows),
            score=score,
            confidence=np.array([row.confidence for row in self.rows], dtype=np.float64),
            predicted=[row.prediction for row in self.rows],
        )
        features = dict(found.features)
        for bins in reference.columns:
            if bins.name in columns and bins.name not in plain:
                features[bins.name] = _from_bins(columns[bins.name], len(bins.labels))
        return replace(found, features=features)

    def features(self) -> dict[str, Any]:
        """Return what the log kept of each feature, ready to be counted."""
        import pandas as pd

        from pipeline.schema import DTYPES

        said = [json.loads(row.features) for row in self.rows]
        columns: dict[str, Any] = {}
        for column in self.package.schema.features:
            if column.store not in ("full", "bin") or column.kind == "text":
                continue
            values = [one.get(column.name) for one in said]
            if column.store == "bin":
                columns[column.name] = values
                continue
            dtype = "string" if column.kind == "category" else DTYPES[column.kind]
            columns[column.name] = pd.Series(values, dtype="object" if column.kind == "datetime" else dtype)
            if column.kind == "datetime":
                columns[column.name] = pd.to_datetime(columns[column.name])
        return columns


def _is_binned(values: Any) -> bool:
    return isinstance(values, list)


def _from_bins(values: list[Any], n_bins: int) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Return counts of a column that the log keeps as bins; a row without one counts as missing."""
    codes = [one["bin"] if isinstance(one, dict) and "bin" in one else n_bins - 1 for one in values]
    return np.bincount(codes, minlength=n_bins).astype(np.int64)


def roll_up(state: State, model: str, packages: Callable[[str], Package | None]) -> int:
    """Count the predictions that were logged since the last time; return how many there were.

    Rows are read and counted beside the writer and added in short transactions of their own, together with
    how far they reach, so that each is counted once, whatever is killed in between.

    Parameters
    ----------
    state : State
    model : str
    packages : callable
        Returns the package with a digest; None where it is not to be had: its rows are passed over.
    """
    n_rows = 0
    while True:
        with state.reading() as connection:
            after = store.rolled_until(connection, model)
            rows = store.predictions_after(connection, model, after, limit=_AT_ONCE)
        if not rows:
            return n_rows
        cells = _cells(rows, packages)
        try:
            with state.writing() as connection:
                store.add_rollups(connection, model, cells, after=after, until=rows[-1].seq)
        except Conflict:
            with state.reading() as connection:
                if store.rolled_until(connection, model) == after:
                    raise  # nobody was faster: the database itself is held
            continue
        n_rows += len(rows)


def rebuild(state: State, model: str, packages: Callable[[str], Package | None]) -> int:
    """Forget the counts of a model and make them anew from the log; return how many rows there were."""
    with state.writing() as connection:
        store.clear_rollups(connection, model)
    return roll_up(state, model, packages)


def _cells(rows: Sequence[Any], packages: Callable[[str], Package | None]) -> Counter[tuple[str, int, str, int]]:
    groups: dict[tuple[str, int], list[Any]] = {}
    for row in rows:
        groups.setdefault((row.digest, row.at - row.at % HOUR_US), []).append(row)
    cells: Counter[tuple[str, int, str, int]] = Counter()
    for (digest, hour), members in groups.items():
        package = packages(digest)
        if package is None:
            continue
        counts = LoggedRows(members, package).counts(logged_reference(package))
        cells[digest, hour, _N_ROWS, 0] += counts.n_rows
        named = [(f"={name}", one) for name, one in counts.features.items()]
        named += [(f"{_PREFIX}{name}", one) for name, one in counts.outputs.items()]
        for name, vector in named:
            for position in np.flatnonzero(vector).tolist():
                cells[digest, hour, name, position] += int(vector[position])
    return cells


def window_counts(state: State, model: str, package: Package, *, since: int, until: int) -> Counts:
    """Return the counts of the predictions that one package gave in [since, until), in microseconds since 1970.

    Whole hours are sums of what `roll_up` kept; the rows of the hours at either end are counted one by one.
    """
    reference = logged_reference(package)
    first, last = -(-since // HOUR_US) * HOUR_US, until // HOUR_US * HOUR_US
    edges = [(since, until)] if first >= last else [(since, first), (last, until)]
    with state.reading() as connection:
        summed = {} if first >= last else store.sum_rollups(connection, model, package.digest, since=first, until=last)
        rows = [
            row
            for start, end in edges
            if start < end
            for row in store.window_predictions(connection, model, since=start, until=end)
            if row.digest == package.digest
        ]
    return _from_sums(reference, summed).merge(LoggedRows(rows, package).counts(reference))


def _from_sums(reference: Reference, summed: dict[tuple[str, int], int]) -> Counts:
    features = {one.name: np.zeros(len(one.finest.labels), dtype=np.int64) for one in reference.columns}
    said = zip(OUTPUTS, (reference.score, reference.confidence, reference.classes), strict=True)
    outputs = {name: np.zeros(len(one.finest.labels), dtype=np.int64) for name, one in said}
    for (column, position), n in summed.items():
        if column == _N_ROWS:
            continue
        vectors = outputs if column.startswith(_PREFIX) else features
        if column[1:] in vectors:
            vectors[column[1:]][position] = n
    return Counts(summed.get((_N_ROWS, 0), 0), features, outputs)
