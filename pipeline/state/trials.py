"""Store trials of a challenger against the champion, each step with an audit entry and a new generation."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

from sqlalchemy import insert, select, update

from pipeline.errors import Conflict, UsageError
from pipeline.files import canonical_json
from pipeline.state.deployments import advance_generation
from pipeline.state.sequence import next_number
from pipeline.state.tables import trials

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Connection, Row

    from pipeline.state.audit_trail import AuditEvent

__all__ = [
    "TRAFFIC_STATES",
    "Trial",
    "TrialMethod",
    "TrialPurpose",
    "TrialState",
    "add_trial",
    "find_trial",
    "live_trial",
    "read_trials",
    "traffic_trial",
    "update_trial",
]

TrialMethod = Literal["replay", "live", "split"]
TrialPurpose = Literal["promotion", "watch"]
TrialState = Literal["comparing", "canary", "split", "won", "lost", "harmful", "undecided", "aborted", "void"]

# States in which the challenger gets a share of the requests.
TRAFFIC_STATES = ("canary", "split")


@dataclass(frozen=True, slots=True)
class Trial:
    """A trial of one challenger; moments are in microseconds since 1970, UTC.

    Attributes
    ----------
    purpose : "promotion" or "watch"
        Whether the challenger may replace the champion, or is the earlier champion that is kept ready for a rollback.
    method : "replay", "live" or "split"
        Where the predictions of the challenger come from: the log scored again, beside each response, or a share of
        the requests from the start.
    champion, challenger : int
        Versions.
    step : int
        Step of the canary, from 1; 0 before it.
    share : float
        Share of the requests that the challenger responds to, 0 to 1.
    salt : str
        Enters the hash that assigns subjects.
    settings : mapping
        Sections `trial` and `canary` of group `lifecycle` as they were when the trial was opened, and for a split
        its `split_share`.
    fresh_from : int
        Predictions before this moment do not count: a model may have learned from them.
    proposal : str or None
        The next step that waits for a person: `canary`, `promote` or `roll back`.
    evidence : mapping
        What the last decision rests on.
    """

    model: str
    purpose: TrialPurpose
    method: TrialMethod
    champion: int
    champion_digest: str
    challenger: int
    challenger_digest: str
    salt: str
    settings: Mapping[str, Any]
    fresh_from: int
    opened_at: int
    opened_by: str
    step_at: int
    state: TrialState = "comparing"
    step: int = 0
    share: float = 0.0
    decided_at: int | None = None
    proposal: str | None = None
    evidence: Mapping[str, Any] = field(default_factory=dict)
    seq: int = 0

    @property
    def is_open(self) -> bool:
        """Whether it is not decided yet."""
        return self.decided_at is None

    def as_dict(self) -> dict[str, Any]:
        """Return plain values."""
        values = {name: getattr(self, name) for name in self.__slots__}
        return {**values, "settings": dict(self.settings), "evidence": dict(self.evidence)}


def add_trial(
    connection: Connection, trial: Trial, event: AuditEvent, *, expected_generation: int | None = None
) -> Trial:
    """Open a trial in the caller's transaction and return it with its number.

    Raises
    ------
    Conflict
        When the challenger has an open trial, or another decision was made since `expected_generation`.
    """
    for other in read_trials(connection, trial.model, is_open=True):
        if other.challenger == trial.challenger:
            raise Conflict(
                f"{trial.model}: version {trial.challenger} has open trial {other.seq};"
                f" stop it first: `mlops trial stop {other.seq} --reason ...`"
            )
    numbered = replace(trial, seq=next_number(connection, "trials"))
    connection.execute(insert(trials).values(**_row_values(numbered)))
    _record(connection, numbered, event, expected_generation=expected_generation)
    return numbered


def update_trial(
    connection: Connection, trial: Trial, event: AuditEvent, *, expected_generation: int | None = None
) -> Trial:
    """Replace the stored trial of the same number, in the caller's transaction.

    Raises
    ------
    Conflict
        When the stored trial was decided meanwhile, or another decision was made since `expected_generation`.
    """
    changed = connection.execute(
        update(trials).where(trials.c.seq == trial.seq, trials.c.decided_at.is_(None)).values(**_row_values(trial))
    )
    if changed.rowcount != 1:
        raise Conflict(f"trial {trial.seq} was decided meanwhile; check `mlops trial show {trial.seq}`")
    _record(connection, trial, event, expected_generation=expected_generation)
    return trial


def find_trial(connection: Connection, seq: int) -> Trial:
    """Return the trial with a number.

    Raises
    ------
    UsageError
        When there is none.
    """
    row = connection.execute(select(trials).where(trials.c.seq == seq)).first()
    if row is None:
        raise UsageError(f"no trial has the number {seq}; `mlops trial list` shows them")
    return _trial_of(row)


def read_trials(connection: Connection, model: str, *, is_open: bool | None = None) -> list[Trial]:
    """Return the trials of a model, the oldest first; only open or only decided ones if `is_open` is given."""
    query = select(trials).where(trials.c.model == model)
    if is_open is not None:
        query = query.where(trials.c.decided_at.is_(None) if is_open else trials.c.decided_at.is_not(None))
    return [_trial_of(row) for row in connection.execute(query.order_by(trials.c.seq))]


def traffic_trial(connection: Connection, model: str) -> Trial | None:
    """Return the open trial whose challenger gets requests; None without one."""
    query = select(trials).where(
        trials.c.model == model, trials.c.decided_at.is_(None), trials.c.state.in_(TRAFFIC_STATES)
    )
    row = connection.execute(query.order_by(trials.c.seq).limit(1)).first()
    return None if row is None else _trial_of(row)


def live_trial(connection: Connection, model: str) -> Trial | None:
    """Return the open trial whose challenger is scored beside the champion; the oldest of several, None without one."""
    query = select(trials).where(
        trials.c.model == model,
        trials.c.decided_at.is_(None),
        trials.c.method == "live",
        trials.c.state == "comparing",
    )
    row = connection.execute(query.order_by(trials.c.seq).limit(1)).first()
    return None if row is None else _trial_of(row)


def _record(connection: Connection, trial: Trial, event: AuditEvent, *, expected_generation: int | None) -> None:
    """Append the decision to the audit trail; servers read the trial again under the new generation."""
    with_trial = replace(event, evidence={**event.evidence, "trial": trial.as_dict()})
    advance_generation(connection, trial.model, with_trial, expected_generation=expected_generation)


def _row_values(trial: Trial) -> dict[str, Any]:
    values = trial.as_dict()
    return {**values, "settings": canonical_json(values["settings"]), "evidence": canonical_json(values["evidence"])}


def _trial_of(row: Row[Any]) -> Trial:
    values = row._asdict()
    return Trial(**{**values, "settings": json.loads(row.settings), "evidence": json.loads(row.evidence)})
