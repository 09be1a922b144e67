"""The derived columns of a problem: parsed, checked against its features, and computed in the order of their use."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Self

from pipeline.errors import ConfigError, DataError
from pipeline.expressions.expression_parser import RESERVED_NAMES, Variable, parse_expression
from pipeline.expressions.expression_tokens import tokenize
from pipeline.expressions.operands import to_operand, value_type
from pipeline.schema.column_kinds import DTYPES

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    import numpy as np
    from numpy.typing import NDArray

    from pipeline.expressions.expression import Expression
    from pipeline.schema import Column, Schema
    from pipeline.schema.column_kinds import ColumnKind

__all__ = ["DerivedColumn", "DerivedColumns"]

_KEY = "features.derived"
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_MAX_COLUMNS = 200


@dataclass(frozen=True, slots=True)
class DerivedColumn:
    """One derived column: its name, its expression, and the features that it is computed from, directly or not."""

    name: str
    expression: Expression
    sources: tuple[str, ...]

    @property
    def kind(self) -> ColumnKind:
        """The kind of its values."""
        return "boolean" if self.expression.result == "boolean" else "float"


@dataclass(frozen=True, slots=True)
class DerivedColumns:
    """Derived columns in an order in which each comes after those that it uses.

    Examples
    --------
    >>> from pipeline.schema import Column
    >>> columns = [Column("spent", "float", "Float64"), Column("visits", "integer", "Int64")]
    >>> derived = DerivedColumns.parse({"spend_per_visit": "spent / visits"}, columns)
    >>> derived.compute({"spent": [10.0, 3.0, None], "visits": [4, 0, 2]})["spend_per_visit"].tolist()
    [2.5, nan, nan]
    """

    columns: tuple[DerivedColumn, ...] = ()
    kinds: Mapping[str, ColumnKind] = field(default_factory=dict)

    @classmethod
    def parse(cls, declared: Mapping[str, str], columns: Iterable[Column], *, target: str | None = None) -> Self:
        """Return the checked columns of group `features`.

        Parameters
        ----------
        declared : mapping of str to str
            Expressions by name; one may use another, in any order.
        columns : iterable of Column
            The declared columns; expressions use those with the role feature.
        target : str, optional
            Name of the target, which no expression may use.

        Raises
        ------
        ConfigError
            Naming the derived column, what is wrong with it, and where.
        """
        columns = tuple(columns)
        _check_names(declared, {column.name for column in columns} | ({target} if target else set()))
        variables = {column.name: _variable(column) for column in columns}
        if target is not None:
            variables[target] = Variable("text", refusal="is the target, which a row to predict does not have")
        return cls._parse(declared, variables, {column.name: column.kind for column in columns})

    @classmethod
    def _parse(
        cls, declared: Mapping[str, str], variables: dict[str, Variable], kinds: Mapping[str, ColumnKind]
    ) -> Self:
        parsed = _parse_in_order(declared, variables)
        sources: dict[str, tuple[str, ...]] = {}
        for name, expression in parsed.items():
            used = (source for column in expression.columns for source in sources.get(column, (column,)))
            sources[name] = tuple(dict.fromkeys(used))
        return cls(tuple(DerivedColumn(name, parsed[name], sources[name]) for name in parsed), kinds)

    @classmethod
    def of_schema(cls, declared: Mapping[str, str], schema: Schema) -> Self:
        """Return the checked derived columns of a problem; raises as `parse` does."""
        return cls.parse(declared, schema.columns, target=schema.target.column)

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> Self:
        """Return the derived columns that `as_dict` wrote; raises as `parse` does where it wrote others."""
        declared, kinds = value["columns"], value["sources"]
        _check_names(declared, set(kinds))
        return cls._parse(declared, {name: Variable(value_type(kind)) for name, kind in kinds.items()}, kinds)

    def as_dict(self) -> dict[str, Any]:
        """Return plain values: the kind of each source by name, and the text of each expression by name."""
        return {
            "sources": {name: self.kinds[name] for name in self.source_names},
            "columns": {column.name: column.expression.text for column in self.columns},
        }

    def only(self, names: Collection[str]) -> Self:
        """Return the columns among `names`, with those that they use."""
        needed = set(names)
        for column in reversed(self.columns):
            if column.name in needed:
                needed.update(column.expression.columns)
        return replace(self, columns=tuple(column for column in self.columns if column.name in needed))

    def as_declared(self, columns: Iterable[Column]) -> tuple[Column, ...]:
        """Return the derived columns as declared columns; one that uses a private column of `columns` is private."""
        declared = {column.name: column for column in columns}
        return tuple(
            declared[column.sources[0]].derive(
                column.name,
                column.kind,
                DTYPES[column.kind],
                store="bin" if any(declared[name].is_private for name in column.sources) else "full",
            )
            for column in self.columns
        )

    @property
    def names(self) -> frozenset[str]:
        """Names of the derived columns."""
        return frozenset(column.name for column in self.columns)

    @property
    def source_names(self) -> tuple[str, ...]:
        """Names of the features that `compute` reads."""
        return tuple(dict.fromkeys(source for column in self.columns for source in column.sources))

    def compute(self, frame: Any) -> dict[str, NDArray[np.float64]]:
        """Return the values of each derived column: finite, or NaN where missing; true is 1.

        Parameters
        ----------
        frame : DataFrame, or mapping of names to lists or Arrow arrays

        Raises
        ------
        DataError
            When a column is absent or has values of another kind.
        """
        operands: dict[str, Any] = {}
        for name in self.source_names:
            try:
                operands[name] = to_operand(self.kinds[name], frame[name])
            except KeyError:
                raise DataError(f"{name}: the rows have no such column; a derived column uses it") from None
            except (TypeError, ValueError) as error:
                raise DataError(f"{name}: cannot be read as {self.kinds[name]} ({error})") from error
        n_rows = max(map(len, operands.values()), default=0)
        for column in self.columns:
            operands[column.name] = column.expression.evaluate(operands, n_rows)
        return {column.name: operands[column.name] for column in self.columns}


def _check_names(declared: Mapping[str, str], taken: set[str]) -> None:
    if len(declared) > _MAX_COLUMNS:
        raise ConfigError(f"{_KEY}: has {len(declared)} columns; expected at most {_MAX_COLUMNS}")
    for name in declared:
        if not _NAME.fullmatch(name):
            raise ConfigError(f"{_KEY}: {name!r} is no name; use letters, digits and _, with a letter or _ first")
        if name in RESERVED_NAMES:
            raise ConfigError(f"{_KEY}.{name}: {name} has a meaning in expressions; choose another name")
        if name in taken:
            raise ConfigError(f"{_KEY}.{name}: a column of data.columns, or the target, has this name; choose another")


def _variable(column: Column) -> Variable:
    kind = value_type(column.kind)
    if column.role != "feature":
        return Variable(kind, refusal=f"has the role {column.role}; expressions use features: write role: feature")
    return Variable(kind, column.categories)


def _parse_in_order(declared: Mapping[str, str], variables: dict[str, Variable]) -> dict[str, Expression]:
    """Return the parsed expressions, each after those that it uses."""
    parsed: dict[str, Expression] = {}
    words = {name: _words(text) for name, text in declared.items()}
    known = dict(variables)
    while len(parsed) < len(declared):
        waiting = [name for name in declared if name not in parsed]
        ready = [name for name in waiting if words[name].isdisjoint(waiting)]
        if not ready:
            circle = ", ".join(waiting)
            raise ConfigError(f"{_KEY}: {circle} use each other in a circle; one of them may use features only")
        # Expressions with unknown words come last, so that their messages can name all other columns.
        name = min(ready, key=lambda name: not words[name] <= known.keys() | RESERVED_NAMES)
        parsed[name] = parse_expression(declared[name], known, key=f"{_KEY}.{name}")
        known[name] = Variable(parsed[name].result)
    return parsed


def _words(text: str) -> set[str]:
    return {token.text for token in tokenize(text) if token.kind in ("name", "quoted name")}
