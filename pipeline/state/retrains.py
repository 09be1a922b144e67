"""Store retrains: each change of state is one transaction with an audit entry, so that a killed retrain resumes."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

from sqlalchemy import insert, select, update

from pipeline.errors import Conflict, UsageError
from pipeline.files import canonical_json
from pipeline.state.audit_trail import AuditEvent, append_audit_entry
from pipeline.state.sequence import next_number
from pipeline.state.tables import retrains

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Connection, Row

__all__ = [
    "ENDED_RETRAIN_STATES",
    "Retrain",
    "RetrainState",
    "add_retrain",
    "find_retrain",
    "read_retrains",
    "update_retrain",
]

RetrainState = Literal[
    "asked",
    "approved",
    "snapshot",
    "trained",
    "committed",
    "on_trial",
    "needs_decision",
    "refused",
    "failed",
    "discarded",
]
ENDED_RETRAIN_STATES = ("on_trial", "refused", "failed", "discarded")


@dataclass(frozen=True, slots=True)
class Retrain:
    """One retrain of a model; moments are in microseconds since 1970, UTC.

    Attributes
    ----------
    cause : str
        `degradation`, `drift`, `new labels`, `schedule` or `person`.
    facts : mapping
        What the request rests on, and what each later state adds: labels by caller, gates, notes.
    snapshot_sha256 : str or None
        Hash of the file of labeled rows.
    n_rows, n_labels : int or None
        Rows of the snapshot, and rows with an outcome that were new to this retrain.
    until_prediction, until_outcome : int or None
        Numbers of the last prediction and the last outcome that the snapshot may hold.
    branch, commit_sha : str or None
        The branch with the result, and its commit.
    version, trial : int or None
        The registered candidate, and its trial.
    cpu_s : float or None
        Processor time of the training.
    error : str or None
        Why it was refused, failed or was discarded.
    decided_by : str or None
        Who approved or discarded it.
    """

    model: str
    cause: str
    asked_at: int
    asked_by: str
    changed_at: int
    facts: Mapping[str, Any] = field(default_factory=dict)
    state: RetrainState = "asked"
    snapshot_sha256: str | None = None
    n_rows: int | None = None
    n_labels: int | None = None
    until_prediction: int | None = None
    until_outcome: int | None = None
    branch: str | None = None
    commit_sha: str | None = None
    version: int | None = None
    trial: int | None = None
    cpu_s: float | None = None
    error: str | None = None
    decided_by: str | None = None
    seq: int = 0

    @property
    def is_open(self) -> bool:
        """Whether a next state may follow."""
        return self.state not in ENDED_RETRAIN_STATES

    def as_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return {**{name: getattr(self, name) for name in self.__slots__}, "facts": dict(self.facts)}


def add_retrain(connection: Connection, retrain: Retrain, *, reason: str = "") -> Retrain:
    """Add a retrain in the caller's transaction and return it with its number.

    Raises
    ------
    Conflict
        When another retrain of the model is open.
    """
    for other in read_retrains(connection, retrain.model, is_open=True):
        raise Conflict(
            f"{retrain.model}: retrain {other.seq} is open ({other.state}); finish it with `mlops retrain approve"
            f" {other.seq}` or end it with `mlops retrain discard {other.seq} --reason ...`"
        )
    numbered = replace(retrain, seq=next_number(connection, "retrains"))
    connection.execute(insert(retrains).values(**_row_values(numbered)))
    _record(connection, numbered, actor=numbered.asked_by, reason=reason)
    return numbered


def update_retrain(connection: Connection, before: Retrain, after: Retrain, *, actor: str, reason: str = "") -> Retrain:
    """Replace the stored retrain in the caller's transaction, if its state is still the one of `before`.

    Raises
    ------
    Conflict
        When another process changed its state meanwhile.
    """
    changed = connection.execute(
        update(retrains)
        .where(retrains.c.seq == before.seq, retrains.c.state == before.state)
        .values(**_row_values(after))
    )
    if changed.rowcount != 1:
        raise Conflict(
            f"retrain {before.seq} left state {before.state} meanwhile; check `mlops retrain show {before.seq}`"
        )
    _record(connection, after, actor=actor, reason=reason)
    return after


def find_retrain(connection: Connection, seq: int) -> Retrain:
    """Return the retrain with a number.

    Raises
    ------
    UsageError
        When there is none.
    """
    row = connection.execute(select(retrains).where(retrains.c.seq == seq)).first()
    if row is None:
        raise UsageError(f"no retrain has the number {seq}; `mlops retrain list` shows them")
    return _retrain_of(row)


def read_retrains(connection: Connection, model: str, *, is_open: bool | None = None) -> list[Retrain]:
    """Return the retrains of a model, the oldest first; only open or only ended ones if `is_open` is given."""
    query = select(retrains).where(retrains.c.model == model)
    if is_open is not None:
        is_ended = retrains.c.state.in_(ENDED_RETRAIN_STATES)
        query = query.where(~is_ended if is_open else is_ended)
    return [_retrain_of(row) for row in connection.execute(query.order_by(retrains.c.seq))]


def _record(connection: Connection, retrain: Retrain, *, actor: str, reason: str) -> None:
    evidence = {name: value for name, value in retrain.as_dict().items() if value is not None and name != "facts"}
    event = AuditEvent(actor, "retrain", retrain.changed_at, reason or retrain.error or "", {"retrain": evidence})
    append_audit_entry(connection, event, model=retrain.model, version=retrain.version)


def _row_values(retrain: Retrain) -> dict[str, Any]:
    values = retrain.as_dict()
    return {**values, "facts": canonical_json(values["facts"])}


def _retrain_of(row: Row[Any]) -> Retrain:
    return Retrain(**{**row._asdict(), "facts": json.loads(row.facts)})
