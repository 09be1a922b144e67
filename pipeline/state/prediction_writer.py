"""Write predictions in groups, each one transaction that is synced to disk, on SQLite and PostgreSQL."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import exc

from pipeline.errors import Conflict, DependencyUnavailable
from pipeline.state.database import WRITER_LOCK_KEY
from pipeline.state.prediction_rows import REQUEST_COLUMNS, ROW_COLUMNS, PredictionRow, RequestRows, StoredResponse
from pipeline.state.stored_rows import require_stored
from pipeline.state.wal_checkpoints import WalCheckpointer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from pipeline.state.database import State

__all__ = [
    "GuardedUpdate",
    "IdempotencyKeyTaken",
    "PredictionIdTaken",
    "PredictionWriter",
    "UpdateRefused",
]


class GuardedUpdate(NamedTuple):
    """A statement that changes exactly one row where its condition holds; `?` marks each of its values."""

    sql: str
    values: tuple[Any, ...]


class UpdateRefused(Conflict):
    """The condition of a guarded update does not hold; nothing was written."""


class IdempotencyKeyTaken(Exception):
    """Another server has stored a response for the same idempotency key; nothing was written."""


class PredictionIdTaken(Conflict):
    """The log has a prediction with one of these identifiers already; nothing was written."""


# A group of 10,000 rows fits, and is not written to the disk in between because there is no more room.
_CACHE_SIZE_SQL = "PRAGMA cache_size=-8000"
# A server may be configured to commit before it syncs; these rows need the sync.
_LOCK_SQL = (
    "SELECT set_config('lock_timeout', '10s', true), set_config('synchronous_commit', 'on', true),"
    " pg_advisory_xact_lock(%s)"
)
_INCREMENT_COUNTER_SQL = "UPDATE counters SET value = value + {mark} WHERE name = 'predictions' RETURNING value"
_CREATE_COUNTER_SQL = "INSERT INTO counters (name, value) VALUES ('predictions', {mark})"
_TOUCH_COUNTERS_SQL = "UPDATE counters SET value = value WHERE name = 'predictions'"
_INSERT_PREDICTIONS_SQL = "INSERT INTO predictions (seq, {columns}) VALUES {marks}"
_INSERT_RESPONSES_SQL = "INSERT INTO idempotent_responses ({columns}) VALUES {marks}"
# A table can accept rows and discard them. Identifiers and key of the probe have characters that no caller may send.
_COUNT_ROWS_SQL = "SELECT count(*) FROM predictions WHERE seq BETWEEN ? AND ?"
_COUNT_ROWS_BETWEEN_SQL = (
    "SELECT count(*) FROM predictions WHERE seq BETWEEN %s AND %s AND predicted_at BETWEEN %s AND %s"
)
_COUNT_RESPONSES_SQL = "SELECT count(*) FROM idempotent_responses WHERE idempotency_key IN ({marks})"
_PROBE_ROW = PredictionRow(
    "?", 0, "?", 0, "", 0, "{}", "?", "{}", 0.0, "production", "champion", "api", 0, 1.0, None, None
)
_PROBE_RESPONSE = StoredResponse("?", 0, "", "{}", None)
# Rows of one statement: starting a statement costs as much as two rows of it. Few lengths, so that each stays prepared.
_BATCH_SIZES = (128, 32, 8, 1)
_ID_TAKEN_MESSAGE = "prediction_id: the log has a prediction with this identifier already; choose another identifier"
# A partition refuses identifiers that it has; those that callers choose must be in no other either.
_FIND_EXISTING_ID_SQL = "SELECT prediction_id FROM predictions WHERE prediction_id = ANY(%s) LIMIT 1"
_FIND_RESPONSES_SQL = "SELECT {columns} FROM idempotent_responses WHERE idempotency_key IN ({marks})"


@dataclass
class PredictionWriter:
    """One connection that only writes predictions; it is opened at need and again after an error.

    Used by one thread. Statements are plain text: they are run for each group of requests, and building them
    would cost more than running them.
    """

    state: State
    _connection: Any = field(default=None, init=False)
    _checkpointer: WalCheckpointer = field(init=False)

    def __post_init__(self) -> None:
        """Prepare the statements; no connection is opened."""
        self._checkpointer = WalCheckpointer(self.state)

    def write(
        self,
        rows: Sequence[tuple[Any, ...]],
        responses: Sequence[StoredResponse] = (),
        request_rows: Sequence[RequestRows] = (),
        *,
        updates: Iterable[GuardedUpdate] = (),
        has_client_ids: bool = False,
    ) -> None:
        """Write rows, stored responses and updates in one transaction; on return they are committed and synced.

        Parameters
        ----------
        rows : sequence of PredictionRow, or plain tuples of the same values
        responses : sequence of StoredResponse
        request_rows : sequence of RequestRows
            Rows of batches, numbered after `rows`.
        updates : iterable of GuardedUpdate
            Statements of the same transaction, which are run before the rows are written.
        has_client_ids : bool
            Whether the caller chose the identifiers of `rows`, so that the log may have them already.

        Raises
        ------
        IdempotencyKeyTaken
            When a response with one of these keys exists already.
        PredictionIdTaken
            When the log has one of the identifiers already.
        UpdateRefused
            When the condition of one of `updates` does not hold.
        DependencyUnavailable
            When the database cannot be written or does not keep the rows; nothing was written then, unless the
            connection was lost in the commit itself.
        """
        if not self.state.is_file:
            rows, request_rows = [*rows, *chain.from_iterable(group.iter_rows() for group in request_rows)], ()
        with self._transaction() as cursor:
            for sql, values in updates:
                self._update_one(cursor, sql, values)
            if has_client_ids and not self.state.is_file:
                self._reject_existing_ids(cursor, [row[0] for row in rows])
            n_rows = self._insert_predictions(cursor, rows, request_rows)
            self._insert_responses(cursor, responses)
        if self.state.is_file:
            self._checkpointer.record_commit(self._connection, n_rows)

    def read_responses(self, keys: Sequence[str]) -> dict[str, StoredResponse]:
        """Return the stored responses of these idempotency keys.

        Raises
        ------
        DependencyUnavailable
            When the database cannot be read.
        """
        query = _FIND_RESPONSES_SQL.format(
            columns=", ".join(StoredResponse._fields), marks=", ".join([self._placeholder] * len(keys))
        )
        with self._transaction(is_read=True) as cursor:
            cursor.execute(query, tuple(keys))
            return {row[0]: StoredResponse(*row) for row in cursor.fetchall()}

    def check_log(self) -> None:
        """Write without a change, so that a full or read-only disk shows before a prediction is lost.

        Raises
        ------
        DependencyUnavailable
            When the database cannot be written or does not keep rows.
        """
        with self._transaction() as cursor:
            cursor.execute("SAVEPOINT probe")
            self._insert_predictions(cursor, [_PROBE_ROW._replace(predicted_at=self.state.clock())], ())
            self._insert_responses(cursor, [_PROBE_RESPONSE])
            cursor.execute("ROLLBACK TO SAVEPOINT probe")
            cursor.execute(_TOUCH_COUNTERS_SQL)

    def close_if_replaced(self) -> None:
        """Close the connection if its file was replaced, so that the next write opens the one under its name."""
        if self._connection is not None and self._is_replaced():
            self.discard_connection()

    def discard_connection(self) -> None:
        """Close the connection, so that the next write opens the files as they are then."""
        self._checkpointer.close()
        self._discard_connection()

    def close(self) -> None:
        """Close the connection."""
        self._checkpointer.close()
        if self._connection is not None:
            with suppress(Exception):
                self._connection.close()
            self._connection = None

    @property
    def _placeholder(self) -> str:
        return "?" if self.state.is_file else "%s"

    def _insert_predictions(
        self, cursor: Any, rows: Sequence[tuple[Any, ...]], request_rows: Sequence[RequestRows]
    ) -> int:
        """Insert rows under the next numbers, require that the table has them, and return how many they are."""
        n_rows = len(rows) + sum(group.n_rows for group in request_rows)
        if not n_rows:
            return 0
        first = at = self._reserve_numbers(cursor, n_rows)
        numbered = [(number, *row) for number, row in enumerate(rows, first)]
        self._insert(cursor, numbered, _INSERT_PREDICTIONS_SQL, PredictionRow._fields)
        at += len(rows)
        for group in request_rows:
            _insert_request_rows(cursor, group, at)
            at += group.n_rows
        if self.state.is_file:
            cursor.execute(_COUNT_ROWS_SQL, (first, first + n_rows - 1))
        else:  # the moments name the partitions to look at
            moments = [row[1] for row in rows]
            cursor.execute(_COUNT_ROWS_BETWEEN_SQL, (first, first + n_rows - 1, min(moments), max(moments)))
        require_stored("predictions", cursor.fetchone()[0], n_rows=n_rows)
        return n_rows

    def _insert_responses(self, cursor: Any, responses: Sequence[StoredResponse]) -> None:
        if not responses:
            return
        self._insert(cursor, responses, _INSERT_RESPONSES_SQL, StoredResponse._fields)
        marks = ", ".join([self._placeholder] * len(responses))
        cursor.execute(_COUNT_RESPONSES_SQL.format(marks=marks), tuple(response[0] for response in responses))
        require_stored("idempotent_responses", cursor.fetchone()[0], n_rows=len(responses))

    def _update_one(self, cursor: Any, sql: str, values: tuple[Any, ...]) -> None:
        cursor.execute(sql if self.state.is_file else sql.replace("?", "%s"), values)
        if cursor.rowcount != 1:
            raise UpdateRefused(f"{self.state.address}: another process changed the row first; nothing was written")

    def _insert(self, cursor: Any, rows: Sequence[tuple[Any, ...]], statement: str, columns: tuple[str, ...]) -> None:
        at = 0
        for n in _BATCH_SIZES:
            if len(rows) - at < n:
                continue
            row_marks = f"({', '.join([self._placeholder] * len(rows[0]))})"
            sql = statement.format(columns=", ".join(columns), marks=", ".join([row_marks] * n))
            while len(rows) - at >= n:
                cursor.execute(sql, tuple(chain.from_iterable(rows[at : at + n])))
                at += n

    def _reject_existing_ids(self, cursor: Any, ids: list[str]) -> None:
        cursor.execute(_FIND_EXISTING_ID_SQL, (ids,))
        existing = cursor.fetchone()
        if existing is not None:
            raise PredictionIdTaken(_ID_TAKEN_MESSAGE)

    def _reserve_numbers(self, cursor: Any, n: int) -> int:
        cursor.execute(_INCREMENT_COUNTER_SQL.format(mark=self._placeholder), (n,))
        counter_rows = cursor.fetchall()
        if not counter_rows:
            cursor.execute(_CREATE_COUNTER_SQL.format(mark=self._placeholder), (n,))
            return 1
        return int(counter_rows[0][0]) - n + 1

    @contextmanager
    def _transaction(self, *, is_read: bool = False) -> Iterator[Any]:
        self.close_if_replaced()
        try:
            if self._connection is None:
                self._connection = self.state.engine.raw_connection()
                if self.state.is_file:
                    self._connection.cursor().execute(_CACHE_SIZE_SQL)
                    self._checkpointer.disable_autocheckpoint(self._connection)
            cursor = self._connection.cursor()
            if self.state.is_file:
                cursor.execute("BEGIN" if is_read else "BEGIN IMMEDIATE")
            elif not is_read:
                cursor.execute(_LOCK_SQL, (WRITER_LOCK_KEY,))
            yield cursor
            self._connection.commit()
            self.state.check_connection(self._connection.info)
        except BaseException as error:
            self._discard_connection()
            raise self._translate_error(error) from error

    def _is_replaced(self) -> bool:
        return self.state.file is not None and self.state.file.is_replaced(self._connection.info)

    def _discard_connection(self) -> None:
        """Roll back, and discard a connection that may be broken."""
        if self._connection is not None:
            with suppress(Exception):
                self._connection.rollback()
            with suppress(Exception):
                self._connection.invalidate()
            self._connection = None

    def _translate_error(self, error: BaseException) -> BaseException:
        original = error.orig if isinstance(error, exc.DBAPIError) else error
        driver = self.state.engine.dialect.loaded_dbapi
        violated_table = _VIOLATED_TABLE[self.state.engine.dialect.name]
        if isinstance(original, driver.IntegrityError):
            table = violated_table(original)
            if table == "idempotent_responses":
                return IdempotencyKeyTaken(str(original))
            if table == "predictions":
                return PredictionIdTaken(_ID_TAKEN_MESSAGE)
        if isinstance(error, exc.SQLAlchemyError) or isinstance(original, driver.Error):
            reason = str(original).strip().partition("\n")[0]
            return DependencyUnavailable(f"{self.state.address}: the prediction log cannot be written ({reason})")
        return error


def _violated_table_of_sqlite(error: Any) -> str:
    """Return the table whose unique column an error names in its text; empty for another error."""
    unique = {"idempotent_responses.idempotency_key", "predictions.prediction_id"}
    return next((name.partition(".")[0] for name in unique if name in str(error)), "")


def _violated_table_of_postgresql(error: Any) -> str:
    """Return the same of PostgreSQL, which sends the name of the constraint; a partition has one of its own."""
    constraint = error.diag.constraint_name or ""
    if constraint == "pk_idempotent_responses":
        return "idempotent_responses"
    return "predictions" if "prediction_id" in constraint else ""


_VIOLATED_TABLE: dict[str, Callable[[Any], str]] = {
    "sqlite": _violated_table_of_sqlite,
    "postgresql": _violated_table_of_postgresql,
}


def _insert_request_rows(cursor: Any, group: RequestRows, first: int) -> None:
    """Write the rows of a group into SQLite, numbered from `first` on."""
    width, at = len(ROW_COLUMNS), 0
    values: list[Any] = [None] * (width * group.n_rows)
    for place, column in enumerate(group[1:]):
        values[place::width] = column
    for n in _BATCH_SIZES:
        while group.n_rows - at >= n:
            sql = _request_rows_sql(n, is_start=at == 0)
            cursor.execute(sql, (first + at, *group.shared, *values[at * width : (at + n) * width]))
            at += n


@cache
def _request_rows_sql(n: int, *, is_start: bool) -> str:
    """Return a statement for `n` rows: ?1 is the number of the first, then what they share, then the values of each.

    Only the row at the start of its request gets the latency.
    """
    shared = [f"?{at}" for at in range(2, len(REQUEST_COLUMNS) + 2)]
    latency_at = REQUEST_COLUMNS.index("latency_us")
    without_latency = [*shared[:latency_at], "0", *shared[latency_at + 1 :]]
    marks = []
    for row in range(n):
        begin = len(REQUEST_COLUMNS) + 2 + row * len(ROW_COLUMNS)
        row_marks = [f"?{begin + at}" for at in range(len(ROW_COLUMNS))]
        request_marks = shared if is_start and row == 0 else without_latency
        marks.append(f"(?1 + {row}, {', '.join([*request_marks, *row_marks])})")
    return _INSERT_PREDICTIONS_SQL.format(columns=", ".join((*REQUEST_COLUMNS, *ROW_COLUMNS)), marks=", ".join(marks))
