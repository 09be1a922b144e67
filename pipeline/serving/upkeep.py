"""Keep the log within its bounds while the server runs: old rows go, a few at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline import state as store
from pipeline.files import sha256
from pipeline.words import counted

if TYPE_CHECKING:
    from pipeline.config.groups.serving import LogConfig
    from pipeline.state import State

__all__ = ["erase", "prune"]

_DAY_US = 86_400_000_000
_HOUR_US = 3_600_000_000
_AT_ONCE = 2_000


def prune(state: State, config: LogConfig) -> int:
    """Remove rows and stored answers that are older than the settings say, in short transactions; return how many.

    Raises
    ------
    DependencyUnavailable
        When the database cannot be written.
    """
    now = state.clock()
    n_removed = 0
    while True:
        with state.writing() as connection:
            n_rows = store.remove_predictions(connection, before=now - config.retention_days * _DAY_US, limit=_AT_ONCE)
            n_answers = store.remove_answers(connection, before=now - config.answers_hours * _HOUR_US, limit=_AT_ONCE)
        n_removed += n_rows + n_answers
        if max(n_rows, n_answers) < _AT_ONCE:
            return n_removed


def erase(state: State, subject: str, *, actor: str) -> int:
    """Remove all that is kept about a subject and return how many predictions that were; the audit trail tells of it.

    The trail keeps a digest of the subject, not the subject.
    """
    with state.writing() as connection:
        n_removed = store.erase_subject(connection, subject)
        act = store.Act(actor, "erase", state.clock(), f"{counted(n_removed, 'prediction')} of a subject")
        store.append(connection, act, model="", after={"subject_sha256": sha256(subject.encode())})
    return n_removed
