"""Find the decimal sign and the sign between groups of digits from the numbers of all columns of a file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.data.number_signs import rewrite_numbers

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["DetectedSigns", "detect_signs"]

_AROUND_NUMBERS = r"^[\s$€£¥-]+|[\s$€£¥%]+$"
_LIKE_A_NUMBER = r"^[0-9][0-9.,'_ \x{a0}\x{202f}\x{2019}]*$"
_HAS_SIGN = r"[0-9][.,'_ \x{a0}\x{202f}\x{2019}][0-9]"
_PLAIN_NUMBER = r"^[0-9]+(\.[0-9]+)?$"
_MIN_SHARE = 0.8
_MAX_TEXTS = 50_000
_MIN_PLAIN_INTEGERS = 3
# (decimal, thousands), the simplest first; `None` comes before a sign between groups.
_HYPOTHESES: tuple[tuple[str, str | None], ...] = (
    (".", None),
    (",", None),
    (".", ","),
    (",", "."),
    (".", " "),
    (",", " "),
    (".", "'"),
    (",", "'"),
    (".", "_"),
)


@dataclass(frozen=True, slots=True)
class DetectedSigns:
    """The signs of the numbers of a file.

    Attributes
    ----------
    decimal, thousands : str, str or None
    columns : tuple of str
        Columns whose numbers have signs, or that stay text where `is_ambiguous`.
    example : str
        A number that shows them; empty where no column needs any.
    is_ambiguous : bool
        Whether the example has two readings and no other number decides; the signs are then the default.
    """

    decimal: str = "."
    thousands: str | None = None
    columns: tuple[str, ...] = ()
    example: str = ""
    is_ambiguous: bool = False


def detect_signs(texts: Mapping[str, pa.ChunkedArray]) -> DetectedSigns:
    """Return the signs that read every column of numbers; a column of other texts has no vote.

    Parameters
    ----------
    texts : mapping
        By column: an Arrow array of strings; null where a value is missing.
    """
    votes: dict[str, list[tuple[str, str | None]]] = {}
    numbers: dict[str, pa.Array] = {}
    for name, column in texts.items():
        candidates = _numbers_with_signs(column)
        if candidates is not None and (fitting := _fitting(candidates)):
            votes[name], numbers[name] = fitting, candidates
    foreign = [name for name, fitting in votes.items() if (".", None) not in fitting]
    if not foreign:
        return DetectedSigns()
    shared = [signs for signs in _HYPOTHESES if all(signs in fitting for fitting in votes.values())]
    if not shared:
        return _signs_of_most(votes, numbers)
    simple = _different_readings(shared, pa.concat_arrays([numbers[name] for name in votes]))
    example = _example(numbers[foreign[0]])
    if len(simple) == 1:
        return DetectedSigns(*simple[0], tuple(votes), example)
    grouped = next((signs for signs in simple if signs[1] is not None), simple[0])
    if any(_has_small_integers(numbers[name]) for name in foreign):
        return DetectedSigns(*grouped, tuple(votes), example)
    return DetectedSigns(columns=tuple(foreign), example=example, is_ambiguous=True)


def _different_readings(signs: list[tuple[str, str | None]], numbers: pa.Array) -> list[tuple[str, str | None]]:
    """Return the simplest signs of each reading of the numbers."""
    different: list[tuple[str, str | None]] = []
    readings: list[pa.Array] = []
    for decimal, thousands in signs:
        plain = rewrite_numbers(numbers, decimal=decimal, thousands=thousands)
        if not any(plain.equals(reading) for reading in readings):
            different.append((decimal, thousands))
            readings.append(plain)
    return different


def _numbers_with_signs(column: pa.ChunkedArray) -> pa.Array | None:
    """Return the distinct numbers of a column of numbers that has any sign between digits, else None."""
    distinct = pc.unique(column.drop_null()).slice(0, _MAX_TEXTS)
    if not len(distinct) or not pc.any(pc.match_substring_regex(distinct, _HAS_SIGN)).as_py():
        return None
    bare = pc.replace_substring_regex(distinct, _AROUND_NUMBERS, "")
    numbers = bare.filter(pc.match_substring_regex(bare, _LIKE_A_NUMBER))
    return numbers if len(numbers) >= _MIN_SHARE * len(distinct) else None


def _fitting(numbers: pa.Array) -> list[tuple[str, str | None]]:
    fitting = []
    for decimal, thousands in _HYPOTHESES:
        plain = rewrite_numbers(numbers, decimal=decimal, thousands=thousands)
        is_code = thousands in (" ", "'", "_") and not _is_varied(plain)
        if pc.all(pc.match_substring_regex(plain, _PLAIN_NUMBER)).as_py() and not is_code:
            fitting.append((decimal, thousands))
    return fitting


def _is_varied(plain: pa.Array) -> bool:
    """Whether texts look like numbers: codes such as 555 123 456 all have the same length."""
    integers = pc.replace_substring_regex(plain, r"\..*$", "")
    n_lengths: int = pc.count_distinct(pc.utf8_length(integers)).as_py()
    return n_lengths > 1


def _has_small_integers(numbers: pa.Array) -> bool:
    """Whether integers without a sign are below 1000 and there are several: then three digits are a group."""
    is_integer = pc.match_substring_regex(numbers, r"^[0-9]+$")
    lengths = pc.utf8_length(numbers.filter(is_integer))
    n_grouped = len(numbers) - len(lengths)
    return min(n_grouped, len(lengths)) >= _MIN_PLAIN_INTEGERS and not pc.any(pc.greater(lengths, 3)).as_py()


def _signs_of_most(votes: Mapping[str, list[tuple[str, str | None]]], numbers: Mapping[str, pa.Array]) -> DetectedSigns:
    """Return the signs that read most columns, the default where several read as many."""
    counts = {signs: sum(signs in fitting for fitting in votes.values()) for signs in _HYPOTHESES}
    best = max(_HYPOTHESES, key=lambda signs: counts[signs])
    if best == (".", None):
        return DetectedSigns()
    reading = tuple(name for name, fitting in votes.items() if best in fitting)
    return DetectedSigns(*best, reading, _example(numbers[reading[0]]))


def _example(numbers: pa.Array) -> str:
    """Return the number with the most signs, which shows best how numbers are written."""
    signs = pc.count_substring_regex(numbers, r"[^0-9]")
    example: str = numbers[pc.index(signs, pc.max(signs)).as_py()].as_py()
    return example
