"""Find the values of an Arrow array that fail a check; pyarrow is imported at its first use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pyarrow as pa
    from numpy.typing import NDArray

    from pipeline.schema.intervals import Interval

__all__ = ["violations_by_distinct_value", "violations_of_interval", "violations_of_membership"]


def violations_by_distinct_value(array: pa.Array, accepts: Callable[[Any], bool]) -> NDArray[np.bool_] | None:
    """Return which values `accepts` refuses, None where it accepts all; it is called once for each distinct value."""
    import pyarrow as pa

    encoded = array if pa.types.is_dictionary(array.type) else array.dictionary_encode()
    values = encoded.dictionary.to_pylist()
    is_refused = np.array([value is not None and not accepts(value) for value in values] + [False])
    if not is_refused.any():
        return None
    return _any_or_none(is_refused[np.asarray(encoded.indices.fill_null(len(values)))])


def violations_of_interval(array: pa.Array, interval: Interval) -> NDArray[np.bool_] | None:
    """Return which values are outside of an interval of the array's type, None where none is.

    The smallest and the largest value are compared first: most batches have no violation.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    ends = pc.min_max(array)
    smallest, largest = ends["min"].as_py(), ends["max"].as_py()
    if smallest is None or (interval.contains(smallest) and interval.contains(largest)):
        return None
    violations = np.zeros(len(array), dtype=bool)
    if interval.low is not None:
        violations |= _to_mask(pc.less(array, pa.scalar(interval.low, array.type)))
    if interval.high is not None:
        violations |= _to_mask(pc.greater(array, pa.scalar(interval.high, array.type)))
    return _any_or_none(violations)


def violations_of_membership(array: pa.Array, members: Sequence[Any], *, is_allowed: bool) -> NDArray[np.bool_] | None:
    """Return which values are not among the members (or are, where these are forbidden), None where none fails."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_floating(array.type):
        array = pc.add(array, 0.0)  # Arrow's is_in distinguishes -0.0 from 0.0
    is_member = _to_mask(pc.is_in(array, pa.array(members, array.type)))
    is_present = np.asarray(array.is_valid().to_numpy(zero_copy_only=False), dtype=bool)
    return _any_or_none((~is_member if is_allowed else is_member) & is_present)


def _to_mask(result: pa.BooleanArray) -> NDArray[np.bool_]:
    import pyarrow.compute as pc

    return np.asarray(pc.fill_null(result, fill_value=False).to_numpy(zero_copy_only=False), dtype=bool)


def _any_or_none(violations: NDArray[np.bool_]) -> NDArray[np.bool_] | None:
    return violations if violations.any() else None
