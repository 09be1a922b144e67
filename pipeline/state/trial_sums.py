"""Store the sums of paired differences of a trial by hour, together with the last outcome that they include."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import insert, select, update

from pipeline.errors import Conflict
from pipeline.state.tables import counters, trial_units

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Connection

__all__ = ["TrialSums", "TrialUnit", "add_trial_sums", "read_trial_progress", "read_trial_sums"]


class TrialUnit(NamedTuple):
    """A metric, and the first microsecond of an hour in which outcomes arrived."""

    metric: str
    start: int


@dataclass(frozen=True, slots=True)
class TrialSums:
    """Sums over outcomes; a change by a corrected outcome may be negative.

    Attributes
    ----------
    n_rows : int
        Number of outcomes.
    weight : float
        Number of predictions that they represent, where the log is a sample.
    sum, sum_squares : float
        Of the differences, the loss of the champion minus that of the challenger.
    n_disagreements : int
        Rows for which the two predict different classes.
    """

    n_rows: int
    weight: float
    sum: float
    sum_squares: float
    n_disagreements: int

    def __add__(self, other: TrialSums) -> TrialSums:
        """Return the sums of both."""
        return TrialSums(
            self.n_rows + other.n_rows,
            self.weight + other.weight,
            self.sum + other.sum,
            self.sum_squares + other.sum_squares,
            self.n_disagreements + other.n_disagreements,
        )


def read_trial_progress(connection: Connection, trial: int) -> int:
    """Return the number of the last outcome that a trial includes; 0 for none."""
    query = select(counters.c.value).where(counters.c.name == _counter_name(trial))
    return int(connection.execute(query).scalar() or 0)


def read_trial_sums(connection: Connection, trial: int) -> dict[TrialUnit, TrialSums]:
    """Return the sums of a trial by metric and hour, in this order."""
    columns = trial_units.c
    query = select(trial_units).where(columns.trial == trial).order_by(columns.metric, columns.unit_start)
    return {
        TrialUnit(row.metric, row.unit_start): TrialSums(
            row.n_rows, row.weight, row.sum, row.sum_squares, row.n_disagreements
        )
        for row in connection.execute(query)
    }


def add_trial_sums(
    connection: Connection, trial: int, changes: Mapping[TrialUnit, TrialSums], *, after: int, until: int
) -> None:
    """Add the outcomes with numbers in (after, until] to a trial, in the caller's transaction.

    Raises
    ------
    Conflict
        When another process added outcomes since `after` was read; then nothing may be committed.
    """
    if read_trial_progress(connection, trial) != after:
        raise Conflict(f"trial {trial}: another process compared outcomes in between; run it again")
    stored = read_trial_sums(connection, trial)
    for unit, change in changes.items():
        key = {"trial": trial, "metric": unit.metric, "unit_start": unit.start}
        sums = stored[unit] + change if unit in stored else change
        values = {name: getattr(sums, name) for name in TrialSums.__slots__}
        if unit not in stored:
            connection.execute(insert(trial_units).values(**key, **values))
            continue
        where = [trial_units.c[name] == value for name, value in key.items()]
        connection.execute(update(trial_units).where(*where).values(**values))
    _set_progress(connection, trial, until)


def _set_progress(connection: Connection, trial: int, until: int) -> None:
    name = _counter_name(trial)
    changed = connection.execute(update(counters).where(counters.c.name == name).values(value=until))
    if changed.rowcount == 0:
        connection.execute(insert(counters).values(name=name, value=until))


def _counter_name(trial: int) -> str:
    return f"trial {trial}"
