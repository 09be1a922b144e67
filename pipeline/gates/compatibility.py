"""List the changes between two schemas, and which of them break callers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.schema import Column, Schema

__all__ = ["SchemaChange", "compare_schemas"]


@dataclass(frozen=True, slots=True)
class SchemaChange:
    """One difference; `is_breaking` means that a row of the old schema may now be refused."""

    column: str
    description: str
    is_breaking: bool

    def __str__(self) -> str:
        return f"{self.column} {self.description}"


def compare_schemas(old: Schema, new: Schema) -> list[SchemaChange]:
    """Return the changes from `old` to `new`, those that break callers first."""
    return sorted(_changes(old, new), key=lambda change: (not change.is_breaking, change.column))


def _changes(old: Schema, new: Schema) -> Iterator[SchemaChange]:
    before = {column.name: column for column in old.features}
    after = {column.name: column for column in new.features}
    for name in before.keys() - after.keys():
        yield SchemaChange(name, "was removed", is_breaking=True)
    for name in after.keys() - before.keys():
        is_needed = not after[name].nullable
        yield SchemaChange(name, "was added and is required" if is_needed else "was added", is_breaking=is_needed)
    for name in before.keys() & after.keys():
        yield from _column_changes(before[name], after[name])
    if old.target.classes != new.target.classes:
        description = f"has the classes {', '.join(new.target.classes)} instead of {', '.join(old.target.classes)}"
        yield SchemaChange(new.target.column, description, is_breaking=True)


def _column_changes(old: Column, new: Column) -> Iterator[SchemaChange]:
    if old.kind != new.kind:
        yield SchemaChange(new.name, f"is {new.kind} instead of {old.kind}", is_breaking=True)
        return
    if old.nullable != new.nullable:
        yield SchemaChange(
            new.name, "may be missing now" if new.nullable else "may not be missing now", is_breaking=old.nullable
        )
    lost, gained = set(old.categories) - set(new.categories), set(new.categories) - set(old.categories)
    if lost:
        description = f"lost the categories {', '.join(sorted(lost))}"
        yield SchemaChange(new.name, description, is_breaking=not new.accepts_unseen)
    if gained:
        yield SchemaChange(new.name, f"gained the categories {', '.join(sorted(gained))}", is_breaking=False)
    if old.accepts_unseen != new.accepts_unseen:
        description = "accepts any word now" if new.accepts_unseen else "refuses unseen words now"
        yield SchemaChange(new.name, description, is_breaking=old.accepts_unseen)
    yield from _range_changes(old, new)


def _range_changes(old: Column, new: Column) -> Iterator[SchemaChange]:
    if (old.minimum, old.maximum) == (new.minimum, new.maximum):
        return
    is_narrower = _is_stricter_minimum(new.minimum, old.minimum) or _is_stricter_minimum(
        _negated(new.maximum), _negated(old.maximum)
    )
    description = f"accepts {_format_range(new)} instead of {_format_range(old)}"
    yield SchemaChange(new.name, description, is_breaking=is_narrower)


def _is_stricter_minimum(new: float | None, old: float | None) -> bool:
    return new is not None and (old is None or new > old)


def _negated(value: float | None) -> float | None:
    return None if value is None else -value


def _format_range(column: Column) -> str:
    low = "anything" if column.minimum is None else f"{column.minimum:g}"
    high = "anything" if column.maximum is None else f"{column.maximum:g}"
    return f"{low} to {high}"
