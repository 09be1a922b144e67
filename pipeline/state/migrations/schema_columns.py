"""Columns as the migrations declare them."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

__all__ = [
    "big_column",
    "float_column",
    "integer_column",
    "name_column",
    "seq_column",
    "text_column",
    "word_column",
]


def name_column(name: str, **options: Any) -> sa.Column[Any]:
    """Return a column for a name."""
    return sa.Column(name, sa.String(length=200), nullable=options.pop("nullable", False), **options)


def word_column(name: str, length: int, **options: Any) -> sa.Column[Any]:
    """Return a column for a word of bounded length."""
    return sa.Column(name, sa.String(length=length), nullable=options.pop("nullable", False), **options)


def text_column(name: str, **options: Any) -> sa.Column[Any]:
    """Return a column for a text."""
    return sa.Column(name, sa.Text(), nullable=options.pop("nullable", False), **options)


def big_column(name: str, **options: Any) -> sa.Column[Any]:
    """Return a column for a large integer."""
    return sa.Column(name, sa.BigInteger(), nullable=options.pop("nullable", False), **options)


def integer_column(name: str, **options: Any) -> sa.Column[Any]:
    """Return a column for an integer."""
    return sa.Column(name, sa.Integer(), nullable=options.pop("nullable", False), **options)


def float_column(name: str, **options: Any) -> sa.Column[Any]:
    """Return a column for a number."""
    return sa.Column(name, sa.Float(), nullable=options.pop("nullable", False), **options)


def seq_column() -> sa.Column[Any]:
    """Return the column of the gap-free number."""
    return big_column("seq", autoincrement=False)
