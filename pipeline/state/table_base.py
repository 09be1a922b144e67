"""Naming rules and column types that all tables of the state database share."""

from __future__ import annotations

from sqlalchemy import MetaData, String

__all__ = ["DIGEST", "METADATA", "NAME"]

METADATA = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
    }
)

DIGEST = String(64)
NAME = String(200)
