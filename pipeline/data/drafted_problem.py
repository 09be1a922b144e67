"""The declaration of files of rows as values, before it is written."""

from __future__ import annotations

from dataclasses import dataclass, field
from dataclasses import replace as replace_fields
from typing import TYPE_CHECKING, Any

import pyarrow.compute as pc

from pipeline.data.schema_inference import InferredColumn

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pyarrow as pa

    from pipeline.data.kind_recognition import RecognizedColumn
    from pipeline.data.target_inference import InferredTarget

__all__ = ["DraftedProblem", "RawFile"]


@dataclass(frozen=True, slots=True)
class RawFile:
    """Files as texts, the kinds that their format declares, the keys of their source, and what was assumed."""

    texts: pa.Table
    known_kinds: Mapping[str, RecognizedColumn | None]
    settings: Mapping[str, Any]
    set_aside: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DraftedProblem:
    """The declaration of files of rows, before it is written.

    Attributes
    ----------
    name : str
        Name of the problem.
    path : str
        File of the declaration, below the project's folder.
    source_path : str or tuple of str
        File, pattern or files of the rows, likewise.
    raw_file : RawFile
    target : InferredTarget
    columns : tuple of InferredColumn
    split_kind : str
    """

    name: str
    path: str
    source_path: str | tuple[str, ...]
    raw_file: RawFile
    target: InferredTarget
    columns: tuple[InferredColumn, ...]
    split_kind: str = "by_hash"

    def names(self, role: str) -> tuple[str, ...]:
        """Return the names of the columns with a role, in their order."""
        return tuple(column.name for column in self.columns if column.role == role)

    def ignoring(self, reasons: Mapping[str, str]) -> DraftedProblem:
        """Return the declaration that ignores some columns, with the reason of each."""
        columns = tuple(
            _ignored(column, reasons[column.name]) if column.name in reasons else column for column in self.columns
        )
        return replace_fields(self, columns=columns)

    def with_common_null_values(self) -> DraftedProblem:
        """Return the declaration with words of missing values at the source where they are no value of any column."""
        listed = [word for column in self.columns for word in column.keys.get("null_values", ())]
        common = sorted(word for word in set(listed) if listed.count(word) > 1 and self._is_missing_everywhere(word))
        if not common:
            return self
        columns = tuple(_without_null_values(column, common) for column in self.columns)
        settings = {**self.raw_file.settings, "null_values": ["", *common]}
        return replace_fields(self, columns=columns, raw_file=replace_fields(self.raw_file, settings=settings))

    def _is_missing_everywhere(self, word: str) -> bool:
        others = [column.name for column in self.columns if word not in column.keys.get("null_values", ())]
        texts = [self.raw_file.texts.column(name) for name in (*others, self.target.column)]
        return not any(pc.any(pc.equal(column, word)).as_py() for column in texts)


def _without_null_values(column: InferredColumn, words: Sequence[str]) -> InferredColumn:
    remaining = [word for word in column.keys.get("null_values", ()) if word not in words]
    keys = {key: value for key, value in column.keys.items() if key != "null_values"}
    return replace_fields(column, keys={**keys, **({"null_values": remaining} if remaining else {})})


def _ignored(column: InferredColumn, reason: str) -> InferredColumn:
    """Return a column without checks, as its values are left alone."""
    dtype = "string" if column.dtype == "category" else column.dtype
    keys = {key: value for key, value in column.keys.items() if key != "encode"}
    return InferredColumn(column.name, dtype, nullable=True, role="ignore", keys=keys, note=reason)
