"""Infer the classes of a target for a draft declaration, and which rows have none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.data.cell_parsers import parse_column
from pipeline.data.kind_recognition import recognize_texts
from pipeline.errors import DataError, did_you_mean
from pipeline.schema import TextFormat

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["InferredTarget", "infer_target"]

_MIN_CLASS_ROWS = 10
_MAX_CLASSES = 300
_LIKELY_POSITIVE = {
    "1",
    "yes",
    "ja",
    "oui",
    "si",
    "sí",
    "sim",
    "tak",
    "true",
    "y",
    "positive",
    "pos",
    "1.0",
    "churned",
    "fraud",
    "default",
}


@dataclass(frozen=True, slots=True)
class InferredTarget:
    """The classes of the target, and the rows that have none of them.

    Attributes
    ----------
    column : str
    counts : mapping of str to int
        Rows of each class, in the order of the classes.
    positive : str or None
        The positive class; None where there are more than two.
    n_missing : int
        Rows without a label.
    rare : mapping of str to int
        Labels with too few rows for a class, and their rows.
    """

    column: str
    counts: Mapping[str, int]
    positive: str | None
    n_missing: int
    rare: Mapping[str, int]

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes in their order."""
        return tuple(self.counts)

    @property
    def n_unlabeled(self) -> int:
        """Rows that have none of the classes."""
        return self.n_missing + sum(self.rare.values())

    def without(self, names: Sequence[str]) -> InferredTarget:
        """Return the target with fewer classes; the rows of the others are unlabeled."""
        frequent = {name: n for name, n in self.counts.items() if name not in names}
        rare = {**self.rare, **{name: self.counts[name] for name in names}}
        return InferredTarget(self.column, frequent, _infer_positive(frequent), self.n_missing, rare)


def infer_target(texts: pa.Table, target: str, *, notes: Sequence[str] = ()) -> InferredTarget:
    """Return the classes of `target`: its labels with at least ten rows, or all of them where rows are few.

    `notes` are what was assumed to find the columns; the error of a missing column ends with them.

    Raises
    ------
    DataError
        When there is no such column, it has no classes, or most rows would have none.
    """
    if target not in texts.column_names:
        known = texts.column_names
        raise DataError(
            f"--target: no column is named {target!r}; there are: {', '.join(known)}{did_you_mean(target, known)}"
            + "".join(f"; {note}" for note in notes)
        )
    labels = _without_null_words(target, texts.column(target).combine_chunks())
    counts = {entry["values"]: entry["counts"] for entry in pc.value_counts(labels.drop_null()).to_pylist()}
    if len(counts) < 2:
        found = f"has one class, {next(iter(counts))!r}" if counts else "has no values"
        raise DataError(f"--target {target}: {found}; expected two or more classes: name another column or file")
    frequent = {name: counts[name] for name in _sorted_classes(list(counts)) if counts[name] >= _MIN_CLASS_ROWS}
    if len(frequent) < 2 and len(counts) <= _MIN_CLASS_ROWS:
        frequent = {name: counts[name] for name in _sorted_classes(list(counts))}
    _check_classes(target, counts, frequent)
    rare = {name: n for name, n in sorted(counts.items()) if name not in frequent}
    return InferredTarget(target, frequent, _infer_positive(frequent), labels.null_count, rare)


def _without_null_words(name: str, labels: pa.Array) -> pa.Array:
    """Return the labels without words such as NA; their rows have no class."""
    words = recognize_texts(name, labels).text_format.null_values
    return pc.if_else(pc.is_in(labels, value_set=pa.array(words, pa.string())), None, labels)


def _check_classes(target: str, counts: Mapping[str, int], frequent: Mapping[str, int]) -> None:
    if len(frequent) < 2 or 2 * sum(frequent.values()) < sum(counts.values()):
        raise DataError(
            f"--target {target}: {len(counts):,} distinct values, and most rows have one of fewer than"
            f" {_MIN_CLASS_ROWS} rows; expected classes. A number is no class: divide it into classes first, such as"
            " below and above a limit"
        )
    if len(frequent) > _MAX_CLASSES:
        raise DataError(
            f"--target {target}: has {len(frequent):,} distinct values of {_MIN_CLASS_ROWS} rows or more; expected"
            f" at most {_MAX_CLASSES} classes. Group them first"
        )


def _infer_positive(counts: Mapping[str, int]) -> str | None:
    if len(counts) > 2:
        return None
    likely = [name for name in counts if name.lower() in _LIKELY_POSITIVE]
    rarest = min(reversed(list(counts)), key=lambda name: counts[name])
    return likely[0] if len(likely) == 1 else rarest


def _sorted_classes(texts: Sequence[str]) -> list[str]:
    values, invalid = parse_column(pa.array(texts, pa.string()), TextFormat("float"))
    if invalid.size:
        return sorted(texts)
    numbers = dict(zip(texts, values.to_pylist(), strict=True))
    return sorted(texts, key=lambda text: (numbers[text], text))
