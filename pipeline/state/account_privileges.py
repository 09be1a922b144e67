"""Database accounts by need: what each account of PostgreSQL may do to each table, as SQL.

The tables belong to the account that creates them (the owner): it upgrades the schema, removes old rows and creates
API keys. No other account may change the schema, the triggers or the audit trail's entries. Where a right depends on
the row, a policy of PostgreSQL's row-level security holds it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import text

from pipeline.errors import NotAllowed, UsageError
from pipeline.state.tables import METADATA

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pipeline.state.database import State

__all__ = ["ACCOUNTS", "DEFAULT_PREFIX", "Privilege", "account_privileges", "apply_grants", "grant_statements"]

DEFAULT_PREFIX = "mlops"
_PREFIX = re.compile(r"[a-z][a-z0-9_]{0,40}")
_TABLES = ("mlops_schema", *sorted(METADATA.tables))
_REGISTRY_TABLES = ("mlops_schema", "audit", "counters", "deployments", "mlflow_outbox", "models", "versions")
_SWEEP_TABLES = ("sweeps", "sweep_trials")
_HIDDEN_FROM_MONITOR = ("api_keys", "idempotent_responses", "mlflow_outbox")

# Tables whose rights depend on the row.
_ROW_TABLES = ("audit", "counters", "deployments", "models", "versions")
_EVERY_ROW = "true"
_PRODUCTION = (
    "(SELECT jsonb_build_object('version', d.version, 'digest', d.digest) FROM deployments d"
    " WHERE d.model = audit.model AND d.stage = 'Production')"
)
# An entry of the account that trains repeats the version in Production, or names none: servers, rollbacks and
# `mlops doctor` follow the trail.
_LEAVES_PRODUCTION = (
    "action IN ('register', 'promote', 'force', 'alias put back') AND CASE WHEN generation IS NULL"
    " THEN NOT before::jsonb ? 'Production' AND NOT after::jsonb ? 'Production'"
    f" ELSE before::jsonb -> 'Production' IS NOT DISTINCT FROM {_PRODUCTION}"
    f" AND after::jsonb -> 'Production' IS NOT DISTINCT FROM {_PRODUCTION} END"
)


@dataclass(frozen=True, slots=True)
class Privilege:
    """A right to one kind of statement on a table: on some columns (all when empty), on rows with a condition."""

    action: str
    table: str
    columns: tuple[str, ...] = ()
    rows: str = _EVERY_ROW

    def grant(self, role: str) -> str:
        """Return the statement that grants the right."""
        columns = f" ({', '.join(self.columns)})" if self.columns else ""
        return f"GRANT {self.action}{columns} ON {self.table} TO {role}"

    def policy(self, role: str) -> str:
        """Return the statement that creates the policy of the right."""
        conditions = {
            "SELECT": f"USING ({self.rows})",
            "INSERT": f"WITH CHECK ({self.rows})",
            "UPDATE": f"USING ({self.rows}) WITH CHECK ({self.rows})",
            "DELETE": f"USING ({self.rows})",
        }
        return (
            f"CREATE POLICY {_policy_name(role, self.action)} ON {self.table}"
            f" FOR {self.action} TO {role} {conditions[self.action]}"
        )


def _policy_name(role: str, action: str) -> str:
    return f"{role}_{action.lower()}"


def _read(tables: Iterable[str]) -> tuple[Privilege, ...]:
    return tuple(Privilege("SELECT", table) for table in tables)


def _insert(*tables: str) -> tuple[Privilege, ...]:
    return tuple(Privilege("INSERT", table) for table in tables)


def _count(*names: str, prefix: str | None = None) -> tuple[Privilege, ...]:
    """Return the rights to count the sequences of these tables, and those whose names begin with `prefix`."""
    rows = f"name IN ({', '.join(repr(name) for name in names)})"
    if prefix is not None:
        rows += f" OR starts_with(name, {prefix!r})"
    return Privilege("INSERT", "counters", rows=rows), Privilege("UPDATE", "counters", ("value",), rows)


_SERVING = (
    *_insert("predictions", "outcomes", "idempotent_responses", "serving_events", "shadow_predictions"),
    *_insert("trial_traffic", "trial_servers", "stream_offsets"),
    Privilege("UPDATE", "stream_offsets"),
    Privilege("UPDATE", "trial_traffic"),
    Privilege("UPDATE", "trial_servers"),
    Privilege("UPDATE", "api_keys", ("last_used_at",)),
    *_insert("stream_consumers", "stream_partitions"),
    Privilege("UPDATE", "stream_consumers"),
    Privilege("UPDATE", "stream_partitions"),
    Privilege("DELETE", "stream_consumers"),
)
_SERVING_COUNTERS = ("predictions", "outcomes", "serving_events")
_MIRRORING = (*_insert("mlflow_outbox"), Privilege("UPDATE", "mlflow_outbox", ("attempts", "error", "done_at")))
_DECIDING = (
    *_insert("audit", "deployments", "trials", "retrains", "alert_silences", "alert_deliveries"),
    Privilege("UPDATE", "trials"),
    Privilege("UPDATE", "retrains"),
    Privilege("DELETE", "deployments"),
    Privilege("UPDATE", "models", ("generation",)),
    Privilege("UPDATE", "versions", ("stage",)),
    Privilege("UPDATE", "alert_silences", ("until",)),
    Privilege("UPDATE", "incidents"),
    Privilege("UPDATE", "alert_deliveries"),
    *_MIRRORING,
)
_DECIDING_COUNTERS = ("audit", "mlflow_outbox", "trials", "retrains", "alert_silences", "alert_deliveries")
_OUTSIDE_PRODUCTION = "stage <> 'Production'"

_PRIVILEGES: dict[str, tuple[Privilege, ...]] = {
    "api": (
        *_read(table for table in _TABLES if table != "mlflow_outbox"),
        *_SERVING,
        *_count(*_SERVING_COUNTERS),
    ),
    "app": (*_read(_TABLES), *_SERVING, *_DECIDING, *_count(*_SERVING_COUNTERS, *_DECIDING_COUNTERS)),
    "decider": (*_read(_TABLES), *_DECIDING, *_count(*_DECIDING_COUNTERS)),
    "loop": (
        *_read(_TABLES),
        *_DECIDING,
        *_insert("models", "versions", "incidents", "trial_units", "importances", "leases", "loop_runs"),
        Privilege("UPDATE", "trial_units"),
        Privilege("UPDATE", "leases"),
        Privilege("DELETE", "leases"),
        Privilege("DELETE", "loop_runs"),
        *_count(*_DECIDING_COUNTERS, "incidents", "loop_runs", prefix="trial "),
    ),
    "monitor": (
        *_read(table for table in _TABLES if table not in _HIDDEN_FROM_MONITOR),
        *_insert("monitor_runs", "rollups", "incidents", "alert_deliveries"),
        Privilege("DELETE", "monitor_runs"),
        Privilege("DELETE", "rollups"),
        Privilege("UPDATE", "incidents"),
        Privilege("UPDATE", "alert_deliveries"),
        *_count("monitor_runs", "incidents", "alert_deliveries", prefix="rollups "),
    ),
    "training": (
        *_read((*_REGISTRY_TABLES, *_SWEEP_TABLES)),
        *_insert(*_SWEEP_TABLES),
        *(Privilege("UPDATE", table) for table in _SWEEP_TABLES),
        Privilege("INSERT", "models", rows="generation = 0"),
        Privilege("UPDATE", "models", ("generation",)),
        Privilege("INSERT", "versions", rows="stage = 'None'"),
        Privilege("UPDATE", "versions", ("stage",), _OUTSIDE_PRODUCTION),
        Privilege("INSERT", "deployments", rows=_OUTSIDE_PRODUCTION),
        Privilege("DELETE", "deployments", rows=_OUTSIDE_PRODUCTION),
        Privilege("INSERT", "audit", rows=_LEAVES_PRODUCTION),
        *_MIRRORING,
        *_count("audit", "mlflow_outbox", *_SWEEP_TABLES),
    ),
}
ACCOUNTS = tuple(_PRIVILEGES)


def account_privileges(account: str) -> tuple[Privilege, ...]:
    """Return the rights of an account of `ACCOUNTS`."""
    return _PRIVILEGES[account]


def grant_statements(*, prefix: str = DEFAULT_PREFIX) -> list[str]:
    """Return the SQL that creates missing accounts and gives each account its rights, and no others.

    It may run again: rights of an earlier version are revoked first. A new account has no password.

    Raises
    ------
    UsageError
        When the prefix is not a plain name.
    """
    if not _PREFIX.fullmatch(prefix):
        raise UsageError(f"--prefix {prefix!r}: expected a lowercase letter, then letters, digits and _ (at most 41)")
    roles = {account: f"{prefix}_{account}" for account in ACCOUNTS}
    return [
        *(_create_role(role) for role in roles.values()),
        *_revoke_from_everybody(roles.values()),
        *(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY" for table in _ROW_TABLES),
        *(statement for account, role in roles.items() for statement in _grants(account, role)),
    ]


def _create_role(role: str) -> str:
    return (
        f"DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{role}')"  # nosec B608 - an identifier
        f" THEN CREATE ROLE {role} LOGIN; END IF; END $$"
    )


def _revoke_from_everybody(roles: Iterable[str]) -> Iterator[str]:
    names = ", ".join(roles)
    yield (
        "DO $$ BEGIN EXECUTE 'REVOKE ALL ON DATABASE ' || quote_ident(current_database()) || ' FROM PUBLIC';"
        f" EXECUTE 'GRANT CONNECT ON DATABASE ' || quote_ident(current_database()) || ' TO {names}'; END $$"
    )
    yield "REVOKE ALL ON SCHEMA public FROM PUBLIC"
    yield f"REVOKE ALL ON SCHEMA public FROM {names}"
    yield f"GRANT USAGE ON SCHEMA public TO {names}"
    yield "REVOKE ALL ON ALL TABLES IN SCHEMA public FROM PUBLIC"
    yield f"REVOKE ALL ON ALL TABLES IN SCHEMA public FROM {names}"


def _grants(account: str, role: str) -> Iterator[str]:
    for table in _ROW_TABLES:
        for action in ("SELECT", "INSERT", "UPDATE", "DELETE"):
            yield f"DROP POLICY IF EXISTS {_policy_name(role, action)} ON {table}"
    for privilege in _PRIVILEGES[account]:
        yield privilege.grant(role)
        if privilege.table in _ROW_TABLES:
            yield privilege.policy(role)


_UNBOUND_ROLES_SQL = """
SELECT r.rolname FROM pg_roles r, pg_class c
WHERE c.oid = to_regclass('predictions') AND r.rolname = ANY(:names)
AND (r.rolsuper OR r.rolbypassrls OR r.rolcreaterole OR pg_has_role(r.oid, c.relowner, 'MEMBER'))
ORDER BY r.rolname
"""


def apply_grants(state: State, *, prefix: str = DEFAULT_PREFIX) -> tuple[str, ...]:
    """Run `grant_statements` in one transaction as the owner of the tables, and return the accounts.

    Raises
    ------
    UsageError
        When the database is an SQLite file, which has no accounts.
    NotAllowed
        When this account does not own the tables, or may not create a missing account; or when rights do not bind an
        account, because it is a superuser, owns the tables or may become who does.
    """
    if state.is_file:
        raise UsageError(
            f"{state.address}: an SQLite file has no accounts; set MLOPS_STATE_URL to a PostgreSQL database"
        )
    statements = grant_statements(prefix=prefix)
    names = tuple(f"{prefix}_{account}" for account in ACCOUNTS)
    with state.writing() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)
        unbound = list(connection.execute(text(_UNBOUND_ROLES_SQL), {"names": list(names)}).scalars())
        if unbound:
            raise NotAllowed(
                f"{state.address}: rights do not bind {', '.join(unbound)}: a superuser, an owner of the tables or an"
                " account that can become one; nothing was changed. Create accounts without these attributes"
            )
    return names
