"""Name the values of a table that lie outside of the training rows, as the warnings of a request do."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.serving.rows.value_warnings import value_warning

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from pipeline.package import Bins, Package
    from pipeline.schema import Column

__all__ = ["column_warnings", "count_warnings", "table_warnings"]

_MAX_LISTED = 20  # in the cell of a row; all are counted


def table_warnings(package: Package, rows: pa.Table) -> pa.Array:
    """Return a text for each row such as `plan: unseen; spent: out_of_range`, null where it has no warning.

    Of more than twenty warnings the number is given.
    """
    texts: dict[int, list[str]] = {}
    n_more: Counter[int] = Counter()
    for text, positions in _warnings(package, rows):
        for at in positions.tolist():
            listed = texts.setdefault(at, [])
            if len(listed) < _MAX_LISTED:
                listed.append(text)
            else:
                n_more[at] += 1
    if not texts:
        return pa.nulls(len(rows), pa.string())
    for at, n in n_more.items():
        texts[at].append(f"and {n} more")
    return pa.array(["; ".join(texts[at]) if at in texts else None for at in range(len(rows))], pa.string())


def count_warnings(package: Package, rows: pa.Table) -> Counter[str]:
    """Return the number of rows with each warning."""
    return Counter({text: len(positions) for text, positions in _warnings(package, rows)})


def _warnings(package: Package, rows: pa.Table) -> Iterator[tuple[str, NDArray[np.intp]]]:
    bins_by_name = {bins.name: bins for bins in package.reference.columns if bins.measure is None}
    for column in package.schema.features:
        bins = bins_by_name.get(column.name)
        if bins is not None and len(rows):
            yield from column_warnings(column, bins, rows.column(column.name).combine_chunks())


def column_warnings(column: Column, bins: Bins, values: Any) -> Iterator[tuple[str, NDArray[np.intp]]]:
    """Yield each warning of a column with the positions of the values that lie outside of the training rows."""
    reasons = np.array(bins.outside_reasons)
    if not (reasons != "").any():
        return
    codes = _word_codes(bins, values) if bins.is_words else _number_codes(bins, values)
    if codes is None:
        return
    rules = np.array([reason and value_warning(column, reason, "").rule for reason in bins.outside_reasons])
    for rule in sorted(set(rules.tolist()) - {""}):
        positions = np.flatnonzero((rules == rule)[codes])
        if len(positions):
            yield f"{column.name}: {rule}", positions


def _word_codes(bins: Bins, values: Any) -> NDArray[np.int64]:
    encoded = values if pa.types.is_dictionary(values.type) else values.dictionary_encode()
    codes = bins.codes([*encoded.dictionary.to_pylist(), None])
    positions = encoded.indices.fill_null(len(codes) - 1).to_numpy(zero_copy_only=False)
    return np.asarray(codes[positions], dtype=np.int64)


def _number_codes(bins: Bins, values: Any) -> NDArray[np.int64] | None:
    """Return the bins of numbers or moments; None where the smallest and the largest show that all are inside."""
    if pa.types.is_timestamp(values.type):
        values = values.cast(pa.int64())
    ends = pc.min_max(values)
    if not ends["min"].is_valid:
        return None
    has_gaps = bins.kind == "values" and len(bins.points) > 0 and bins.points[-1] - bins.points[0] >= len(bins.points)
    is_inside = len(bins.points) > 0 and bins.points[0] <= ends["min"].as_py() <= ends["max"].as_py() <= bins.points[-1]
    if is_inside and not has_gaps:
        return None
    return bins.codes(np.asarray(values.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)))
