"""Parse Arrow columns of texts into moments and durations, by the patterns that single texts are read with."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.schema.datetime_format import (
    EPOCH_UNITS_US,
    FIRST_MOMENT_US,
    LAST_MOMENT_US,
    MONTH_NAMES,
    local_to_utc,
    offset_minutes,
    two_digit_year,
)
from pipeline.schema.durations import DURATION_PATTERNS, DURATION_UNITS_US

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pipeline.schema.datetime_format import DatetimeForm

__all__ = ["datetime_values", "duration_values", "local_moments_to_utc", "numbers_to_datetimes"]

_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - moments are UTC without a zone
_MINUTE_US, _HOUR_US, _DAY_US = 60_000_000, 3_600_000_000, 86_400_000_000


class _Parts:
    """The groups of a pattern in each text: numbers, and 0 where a group is not there."""

    def __init__(self, texts: pa.Array, pattern: str) -> None:
        self._struct = pc.extract_regex(texts, f"^(?:{pattern})$")
        self.fits: NDArray[np.bool_] = self._struct.is_valid().to_numpy(zero_copy_only=False)
        self._names = [field.name for field in self._struct.type]

    def __contains__(self, name: str) -> bool:
        return name in self._names

    def texts(self, name: str) -> pa.Array:
        """Return the texts of a group, empty where it is not there."""
        return pc.fill_null(pc.struct_field(self._struct, name), "")

    def numbers(self, name: str, default: int = 0) -> NDArray[np.int64]:
        """Return the numbers of a group, `default` where it is not there."""
        if name not in self:
            return np.full(len(self.fits), default, np.int64)
        digits = self.texts(name)
        present = pc.if_else(pc.equal(digits, ""), str(default), digits)
        return np.asarray(pc.cast(present, pa.int64()).to_numpy(zero_copy_only=False))

    def fraction(self) -> NDArray[np.int64]:
        """Return the microseconds of the group `fraction`."""
        if "fraction" not in self:
            return np.zeros(len(self.fits), np.int64)
        return np.asarray(pc.cast(pc.utf8_rpad(self.texts("fraction"), 6, "0"), pa.int64()).to_numpy())


def datetime_values(texts: pa.Array, form: DatetimeForm) -> pa.Array:
    """Return the moments of `texts` in UTC, null where a text is missing or has another form."""
    parts = _Parts(texts, form.pattern)
    if not parts.fits.any():
        return pa.nulls(len(texts), pa.timestamp("us"))
    days, is_day = _days(parts)
    local_us = days * _DAY_US + _time_of_day_us(parts)
    is_valid = parts.fits & is_day
    utc_us = local_us
    has_offset = np.zeros(len(texts), np.bool_)
    if "offset" in parts:
        offset_us, has_offset = _offsets_us(parts.texts("offset"))
        utc_us = local_us - offset_us
    if form.zone is not None:
        is_local = is_valid & ~has_offset
        utc_us = utc_us.copy()
        utc_us[is_local], is_valid[is_local] = local_moments_to_utc(local_us[is_local], form.zone)
    return _to_timestamps(utc_us, is_valid)


def _to_timestamps(values_us: NDArray[np.int64], is_valid: NDArray[np.bool_]) -> pa.Array:
    in_range = is_valid & (values_us >= FIRST_MOMENT_US) & (values_us <= LAST_MOMENT_US)
    return pa.array(values_us, pa.int64(), mask=~in_range).cast(pa.timestamp("us"))


def _days(parts: _Parts) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Return the days since 1970, and whether there is such a day."""
    years = parts.numbers("year", 1)
    if "short_year" in parts:
        years = np.array([two_digit_year(number) for number in range(100)])[parts.numbers("short_year")]
    months = parts.numbers("month", 1)
    if "month_name" in parts:
        names = pc.utf8_slice_codeunits(pc.utf8_lower(parts.texts("month_name")), 0, 3)
        codes = pc.index_in(names, value_set=pa.array([name[:3] for name in MONTH_NAMES]))
        months = pc.fill_null(codes, 0).to_numpy(zero_copy_only=False).astype(np.int64) + 1
    days = parts.numbers("day", 1)
    first = ((years - 1970) * 12 + months - 1).astype("datetime64[M]")
    starts = first.astype("datetime64[D]").astype(np.int64)
    ends = (first + 1).astype("datetime64[D]").astype(np.int64)
    return starts + days - 1, (years >= 1) & (days <= ends - starts)


def _time_of_day_us(parts: _Parts) -> NDArray[np.int64]:
    hours = parts.numbers("hour")
    if "half" in parts:
        is_afternoon = pc.equal(pc.ascii_lower(parts.texts("half")), "p").to_numpy(zero_copy_only=False)
        hours = hours % 12 + 12 * is_afternoon
    time_us: NDArray[np.int64] = hours * _HOUR_US + parts.numbers("minute") * _MINUTE_US
    return time_us + parts.numbers("second") * 1_000_000 + parts.fraction()


def _offsets_us(texts: pa.Array) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Return the offsets from UTC, and where there is one."""
    encoded = texts.dictionary_encode()
    offsets = [offset_minutes(text) * _MINUTE_US if text else 0 for text in encoded.dictionary.to_pylist()]
    codes = encoded.indices.to_numpy()
    return np.array(offsets, np.int64)[codes], np.array([bool(text) for text in encoded.dictionary.to_pylist()])[codes]


def local_moments_to_utc(local_us: NDArray[np.int64], zone: str) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Return local moments of a zone in UTC, and whether its clocks ever showed them; see `local_to_utc`.

    Offsets are looked up once for each hour, and for each moment of the hours in which clocks change.
    """
    hours, positions = np.unique(local_us // _HOUR_US, return_inverse=True)
    first = [_zone_offset_us(int(hour) * _HOUR_US, zone) for hour in hours]
    last = [_zone_offset_us(int(hour) * _HOUR_US + _HOUR_US - 1, zone) for hour in hours]
    is_even = np.array([a is not None and a == b for a, b in zip(first, last, strict=True)], np.bool_)[positions]
    offsets = np.array([offset or 0 for offset in first], np.int64)[positions]
    is_valid = np.ones(len(local_us), np.bool_)
    for at in np.flatnonzero(~is_even):
        offset = _zone_offset_us(int(local_us[at]), zone)
        offsets[at], is_valid[at] = offset or 0, offset is not None
    return local_us - offsets, is_valid


def _zone_offset_us(local_us: int, zone: str) -> int | None:
    """Return the offset of a local moment, None where clocks never showed it."""
    try:
        local = _EPOCH + timedelta(microseconds=local_us)
        return (local - local_to_utc(local, zone)) // timedelta(microseconds=1)
    except (ValueError, OverflowError):
        return None


def numbers_to_datetimes(numbers: pa.Array, unit: str) -> pa.Array:
    """Return counts of `unit` since 1970 as moments, null where one is missing or outside the years 1 to 9999."""
    values = pc.fill_null(pc.cast(numbers, pa.float64()), np.nan).to_numpy(zero_copy_only=False) * EPOCH_UNITS_US[unit]
    with np.errstate(invalid="ignore"):
        is_valid = (values >= FIRST_MOMENT_US) & (values <= LAST_MOMENT_US)
    return _to_timestamps(np.rint(np.where(is_valid, values, 0.0)).astype(np.int64), is_valid)


def duration_values(texts: pa.Array) -> pa.Array:
    """Return the seconds of durations, null where a text is missing or no duration."""
    values = pa.nulls(len(texts), pa.float64())
    for pattern in DURATION_PATTERNS:
        values = pc.coalesce(values, _durations_of_form(texts, pattern))
    return values


def _durations_of_form(texts: pa.Array, pattern: str) -> pa.Array:
    parts = _Parts(texts, pattern)
    present = [name for name in DURATION_UNITS_US if name in parts]
    is_valid = parts.fits & np.logical_or.reduce([_is_there(parts, name) for name in present])
    days = parts.numbers("days") * DURATION_UNITS_US["days"]
    total = parts.fraction()
    for name in present:
        if name != "days":
            total = total + parts.numbers(name) * DURATION_UNITS_US[name]
    if "day_sign" in parts:
        days = np.where(_is_minus(parts, "day_sign"), -days, days)
    is_negative = _is_minus(parts, "sign")
    seconds = (np.where(is_negative & ("weeks" in parts), -days, days) + np.where(is_negative, -total, total)) / 1e6
    return pa.array(seconds, pa.float64(), mask=~is_valid)


def _is_there(parts: _Parts, name: str) -> NDArray[np.bool_]:
    return np.asarray(pc.not_equal(parts.texts(name), "").to_numpy(zero_copy_only=False))


def _is_minus(parts: _Parts, name: str) -> NDArray[np.bool_]:
    return np.asarray(pc.equal(parts.texts(name), "-").to_numpy(zero_copy_only=False))
