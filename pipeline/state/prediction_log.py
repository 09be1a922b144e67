"""Write predictions in groups, each one transaction that is synced before it is told; SQLite and PostgreSQL alike."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from itertools import chain
from operator import itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import exc

from pipeline.errors import DependencyUnavailable
from pipeline.state.checkpoints import Checkpoints
from pipeline.state.database import WRITERS_LOCK

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pipeline.state.database import State

__all__ = ["Journal", "KeyTaken", "PredictionRow", "RowGroup", "SharedValues", "StoredAnswer"]


class PredictionRow(NamedTuple):
    """One row of the table `predictions`, but for its number."""

    prediction_id: str
    at: int
    model: str
    version: int
    digest: str
    generation: int
    features: str
    prediction: str
    probabilities: str
    confidence: float
    served_by: str
    variant: str
    latency_us: int
    weight: float
    idempotency_key: str | None
    subject: str | None


class SharedValues(NamedTuple):
    """What the rows of one request have in common."""

    at: int
    model: str
    version: int
    digest: str
    generation: int
    served_by: str
    variant: str
    latency_us: int
    weight: float
    idempotency_key: str | None
    subject: str | None


class RowGroup(NamedTuple):
    """Rows of one request: the values that all of them have, and columns of those of each.

    A database is told once of what is shared, which saves a third of the time of a large request.
    """

    shared: SharedValues
    prediction_id: Sequence[str]
    features: Sequence[str]
    prediction: Sequence[str]
    probabilities: Sequence[str]
    confidence: Sequence[float]

    @property
    def n_rows(self) -> int:
        """How many rows there are."""
        return len(self.prediction_id)

    def plain(self) -> Iterator[tuple[Any, ...]]:
        """Yield the values of a `PredictionRow` for each row."""
        for own in zip(*self[1:], strict=True):
            yield _IN_ORDER((*self.shared, *own))


class StoredAnswer(NamedTuple):
    """One row of the table `answers`; `request` is the SHA-256 of the body that was answered."""

    idempotency_key: str
    at: int
    request: str
    answer: str
    subject: str | None


class KeyTaken(Exception):
    """Another server answered the same idempotency key in between; nothing was written."""


# A group of 10,000 rows fits, and is not written to the disk in between because there is no more room.
_CACHE = "PRAGMA cache_size=-8000"
# A server may be set to answer before it syncs; not for these rows.
_LOCK = (
    "SELECT set_config('lock_timeout', '10s', true), set_config('synchronous_commit', 'on', true),"
    " pg_advisory_xact_lock(%s)"
)
_COUNT = "UPDATE counters SET value = value + {mark} WHERE name = 'predictions' RETURNING value"
_FIRST_COUNT = "INSERT INTO counters (name, value) VALUES ('predictions', {mark})"
_INSERT = "INSERT INTO predictions (seq, {columns}) VALUES {marks}"
_KEEP = "INSERT INTO answers ({columns}) VALUES {marks}"
# Rows of one statement: starting a statement costs as much as two rows of it. Few lengths, so that each stays prepared.
_AT_ONCE = (128, 32, 8, 1)
_SHARED, _OWN = SharedValues._fields, RowGroup._fields[1:]
_IN_ORDER = itemgetter(*map((*_SHARED, *_OWN).index, PredictionRow._fields))
# A partition refuses identifiers that it has; those that callers choose must be in no other either.
_TAKEN = "SELECT prediction_id FROM predictions WHERE prediction_id = ANY(%s) LIMIT 1"
_FIND = "SELECT {columns} FROM answers WHERE idempotency_key IN ({marks})"


@dataclass
class Journal:
    """One connection that only writes predictions; it is opened at need and again after an error.

    Used by one thread. Statements are plain text: they are run for each group of requests, and building them
    would cost more than running them.
    """

    state: State
    _connection: Any = field(default=None, init=False)
    _checkpoints: Checkpoints = field(init=False)

    def __post_init__(self) -> None:
        """Prepare what is needed once; nothing is opened."""
        self._checkpoints = Checkpoints(self.state)

    def append(
        self,
        rows: Sequence[tuple[Any, ...]],
        answers: Sequence[StoredAnswer] = (),
        groups: Sequence[RowGroup] = (),
        *,
        has_chosen_ids: bool = False,
    ) -> None:
        """Write rows and stored answers in one transaction; when this returns they are committed and synced.

        Parameters
        ----------
        rows : sequence of PredictionRow, or plain tuples of the same values
        answers : sequence of StoredAnswer
        groups : sequence of RowGroup
            More rows; they are numbered behind `rows`.
        has_chosen_ids : bool
            Whether identifiers of `rows` were chosen, so that the log may have them; those made by chance are new.

        Raises
        ------
        KeyTaken
            When an answer with one of these keys is there already.
        DependencyUnavailable
            When the database cannot be written, or has one of the identifiers; nothing was written then, unless the
            connection was lost in the commit itself.
        """
        if not self.state.is_file:
            rows, groups = [*rows, *chain.from_iterable(group.plain() for group in groups)], ()
        n_rows = len(rows) + sum(group.n_rows for group in groups)
        with self._transaction() as cursor:
            if has_chosen_ids and not self.state.is_file:
                self._refuse_taken(cursor, [row[0] for row in rows])
            first = self._numbers(cursor, n_rows) if n_rows else 0
            numbered = [(number, *row) for number, row in enumerate(rows, first)]
            self._insert(cursor, numbered, _INSERT, PredictionRow._fields)
            first += len(rows)
            for group in groups:
                _insert_group(cursor, group, first)
                first += group.n_rows
            self._insert(cursor, answers, _KEEP, StoredAnswer._fields)
        if self.state.is_file:
            self._checkpoints.committed(self._connection, n_rows)

    def answers(self, keys: Sequence[str]) -> dict[str, StoredAnswer]:
        """Return the stored answers of these idempotency keys.

        Raises
        ------
        DependencyUnavailable
            When the database cannot be read.
        """
        query = _FIND.format(columns=", ".join(StoredAnswer._fields), marks=", ".join([self._mark] * len(keys)))
        with self._transaction(is_read=True) as cursor:
            cursor.execute(query, tuple(keys))
            return {row[0]: StoredAnswer(*row) for row in cursor.fetchall()}

    def close(self) -> None:
        """Give the connection back."""
        self._checkpoints.close()
        if self._connection is not None:
            with suppress(Exception):
                self._connection.close()
            self._connection = None

    @property
    def _mark(self) -> str:
        return "?" if self.state.is_file else "%s"

    def _insert(self, cursor: Any, rows: Sequence[tuple[Any, ...]], statement: str, columns: tuple[str, ...]) -> None:
        at = 0
        for n in _AT_ONCE:
            if len(rows) - at < n:
                continue
            one = f"({', '.join([self._mark] * len(rows[0]))})"
            said = statement.format(columns=", ".join(columns), marks=", ".join([one] * n))
            while len(rows) - at >= n:
                cursor.execute(said, tuple(chain.from_iterable(rows[at : at + n])))
                at += n

    def _refuse_taken(self, cursor: Any, ids: list[str]) -> None:
        cursor.execute(_TAKEN, (ids,))
        found = cursor.fetchone()
        if found is not None:
            said = f"it has a prediction {found[0]!r} already; choose another identifier"
            raise DependencyUnavailable(f"{self.state.address}: the prediction log cannot be written ({said})")

    def _numbers(self, cursor: Any, n: int) -> int:
        cursor.execute(_COUNT.format(mark=self._mark), (n,))
        found = cursor.fetchall()
        if not found:
            cursor.execute(_FIRST_COUNT.format(mark=self._mark), (n,))
            return 1
        return int(found[0][0]) - n + 1

    @contextmanager
    def _transaction(self, *, is_read: bool = False) -> Iterator[Any]:
        try:
            if self._connection is None:
                self._connection = self.state.engine.raw_connection()
                if self.state.is_file:
                    self._connection.cursor().execute(_CACHE)
                    self._checkpoints.take_over(self._connection)
            cursor = self._connection.cursor()
            if self.state.is_file:
                cursor.execute("BEGIN" if is_read else "BEGIN IMMEDIATE")
            elif not is_read:
                cursor.execute(_LOCK, (WRITERS_LOCK,))
            yield cursor
            self._connection.commit()
        except BaseException as error:
            self._drop()
            raise self._told(error) from error

    def _drop(self) -> None:
        """Undo, and let go of a connection that may be broken."""
        if self._connection is not None:
            with suppress(Exception):
                self._connection.rollback()
            with suppress(Exception):
                self._connection.invalidate()
            self._connection = None

    def _told(self, error: BaseException) -> BaseException:
        original = error.orig if isinstance(error, exc.DBAPIError) else error
        names = {one.__name__ for one in type(original).__mro__}
        if ("IntegrityError" in names and "idempotency_key" in str(original)) or "pk_answers" in str(original):
            return KeyTaken(str(original))
        if isinstance(error, exc.SQLAlchemyError) or "DatabaseError" in names or "InterfaceError" in names:
            reason = str(original).strip().partition("\n")[0]
            return DependencyUnavailable(f"{self.state.address}: the prediction log cannot be written ({reason})")
        return error


def _insert_group(cursor: Any, group: RowGroup, first: int) -> None:
    """Write the rows of a group into SQLite, numbered from `first` on."""
    width, at = len(_OWN), 0
    own: list[Any] = [None] * (width * group.n_rows)
    for place, column in enumerate(group[1:]):
        own[place::width] = column
    for n in _AT_ONCE:
        while group.n_rows - at >= n:
            cursor.execute(_group_statement(n), (first + at, *group.shared, *own[at * width : (at + n) * width]))
            at += n


@cache
def _group_statement(n: int) -> str:
    """Return a statement for `n` rows: ?1 is the number of the first, then what they share, then the values of each."""
    shared = [f"?{at}" for at in range(2, len(_SHARED) + 2)]
    marks = []
    for row in range(n):
        begin = len(_SHARED) + 2 + row * len(_OWN)
        own = [f"?{begin + at}" for at in range(len(_OWN))]
        marks.append(f"(?1 + {row}, {', '.join([*shared, *own])})")
    return _INSERT.format(columns=", ".join((*_SHARED, *_OWN)), marks=", ".join(marks))
