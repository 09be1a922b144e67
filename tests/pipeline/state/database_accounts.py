"""A database with three versions and accounts that have their rights."""

from __future__ import annotations

from typing import NamedTuple

import psycopg

from pipeline import state as store
from pipeline.registry.stage_transitions import promote_version

MODEL = "personality_model"
PASSED = {"verdict": "promote", "gates": []}


class Accounts(NamedTuple):
    """A database with three versions, the second in Staging and the first in Production, and its accounts."""

    address: str

    def url(self, account: str) -> str:
        return self.address.replace("//tester@", f"//mlops_{account}@")

    def open(self, account: str) -> store.State:
        return store.connect_to(self.url(account), setting_name="the test's account")

    def run(self, account: str, statement: str) -> int:
        """Run a statement and roll it back; return the number of its rows."""
        with psycopg.connect(self.url(account)) as connection:
            done = connection.execute(statement.encode())
            connection.rollback()
            return done.rowcount


def fill_database(owner: store.State) -> None:
    for number in (1, 2, 3):
        register(owner, number)
    promote_version(owner, MODEL, 1, stage="Production", decided_by="eve")
    promote_version(owner, MODEL, 2, stage="Staging", decided_by="eve")
    store.create_api_key(owner, "predict", name="k", actor="eve")
    writer = store.PredictionWriter(owner)
    row = store.PredictionRow("p1", 5, MODEL, 1, "d1", 1, "{}", "yes", "{}", 1.0, "", "", "", 1, 1.0, None, None)
    writer.write([row])
    writer.close()


def register(state: store.State, number: int) -> None:
    with state.writing() as connection:
        tags = {"gates": PASSED}
        version = store.add_version(
            connection, MODEL, f"d{number}", at=number, semver=f"1.0.{number}", description="", tags=tags
        )
        event = store.AuditEvent("ci", "register", number, evidence=PASSED)
        after = {"digest": version.digest, "semver": version.semver}
        store.append_audit_entry(connection, event, model=MODEL, version=version.version, after=after)
        store.enqueue_task(connection, "mirror", {"model": MODEL}, at=number)
