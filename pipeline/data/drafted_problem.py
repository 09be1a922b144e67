"""The declaration of files of rows as values, before it is written."""

from __future__ import annotations

from dataclasses import dataclass, field
from dataclasses import replace as replace_fields
from typing import TYPE_CHECKING, Any

from pipeline.data.schema_inference import InferredColumn

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pyarrow as pa

    from pipeline.data.target_inference import InferredTarget
    from pipeline.schema import ColumnKind

__all__ = ["DraftedProblem", "RawFile"]


@dataclass(frozen=True, slots=True)
class RawFile:
    """Files as texts, the kinds that their format declares, the keys of their source, and what was assumed."""

    texts: pa.Table
    known_kinds: Mapping[str, ColumnKind | None]
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


def _ignored(column: InferredColumn, reason: str) -> InferredColumn:
    """Return a column without checks, as its values are left alone."""
    dtype = "string" if column.dtype == "category" else column.dtype
    return InferredColumn(column.name, dtype, nullable=True, role="ignore", note=reason)
