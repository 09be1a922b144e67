"""Turn declared columns into a Pandera schema."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandera.pandas as pa

    from pipeline.schema.declaration import Schema

__all__ = ["pandera_schema"]


def pandera_schema(schema: Schema, *, with_target: bool = True) -> pa.DataFrameSchema:
    """Return Pandera's form of the declaration; its failures carry the declared names of rules.

    Types are left to those who read: they know how to say what cannot be converted, and one broken
    column must not hide the others.

    Parameters
    ----------
    schema : Schema
    with_target : bool
        Whether the target column is checked too.

    Raises
    ------
    ConfigError
        Naming the key, when a check is not registered with Pandera or refuses its arguments.
    """
    import pandera.pandas as pa

    columns = {
        column.name: pa.Column(
            None,
            checks=[constraint.pandera() for constraint in column.constraints],
            nullable=column.nullable,
            unique=column.unique,
            required=False,
        )
        for column in schema.columns
    }
    if with_target and schema.target.unlabeled == "refuse":
        words = pa.Check.isin(list(schema.target.classes), error="isin")
        columns[schema.target.column] = pa.Column(None, checks=[words], nullable=False, required=False)
    unique = list(schema.unique) if schema.unique is not None else None
    return pa.DataFrameSchema(columns, unique=unique)
