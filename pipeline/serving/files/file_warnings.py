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

_SEPARATOR = "; "


def table_warnings(package: Package, rows: pa.Table) -> pa.Array:
    """Return a text for each row such as `plan: unseen; spent: out_of_range`, null where it has no warning."""
    bins_by_name = {bins.name: bins for bins in package.reference.columns if bins.measure is None}
    texts: dict[int, list[str]] = {}
    for column in package.schema.features:
        bins = bins_by_name.get(column.name)
        if bins is None or not len(rows):
            continue
        for at, text in column_warnings(column, bins, rows.column(column.name).combine_chunks()):
            texts.setdefault(at, []).append(text)
    if not texts:
        return pa.nulls(len(rows), pa.string())
    return pa.array([_SEPARATOR.join(texts[at]) if at in texts else None for at in range(len(rows))], pa.string())


def count_warnings(warnings: pa.ChunkedArray) -> Counter[str]:
    """Return the number of rows with each warning, from texts of `table_warnings`."""
    counts: Counter[str] = Counter()
    for entry in pc.value_counts(warnings.drop_null()).to_pylist():
        for text in entry["values"].split(_SEPARATOR):
            counts[text] += entry["counts"]
    return counts


def column_warnings(column: Column, bins: Bins, values: Any) -> Iterator[tuple[int, str]]:
    """Yield the position and the text of each value of a column that lies outside of the training rows."""
    reasons = bins.outside_reasons
    if not any(reasons):
        return
    codes = _word_codes(bins, values) if bins.is_words else _number_codes(bins, values)
    if codes is None:
        return
    is_outside = np.array([reason != "" for reason in reasons])[codes]
    rules = [f"{column.name}: {value_warning(column, reason, '').rule}" for reason in reasons]
    for at in np.flatnonzero(is_outside).tolist():
        yield at, rules[codes[at]]


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
