"""Rows with their outcomes, cut into requests: the same ones for the same scenario and seed."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.data import sources
from pipeline.errors import ConfigError, DataError, IntegrityError
from pipeline.package import PackageStore
from pipeline.schema import Schema
from pipeline.simulation.drawing import draw_rows
from pipeline.simulation.moving import move, plan_movements

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    import pandas as pd

    from pipeline.config.groups.data import DataConfig
    from pipeline.config.groups.scenario import OutcomesConfig, PhaseConfig, RowsConfig
    from pipeline.simulation.moving import Movement
    from pipeline.simulation.sending import Served

__all__ = ["Pool", "Request", "Telling", "fetch_pool", "requests"]

_POOL_ROWS = 20_000
_BLOCK_ROWS = 512  # rows that are drawn and moved at once


@dataclass(frozen=True, slots=True)
class Pool:
    """Rows to draw from: their features, and what is true of each where that is known."""

    rows: pd.DataFrame
    outcomes: Sequence[str] | None
    schema: Schema


@dataclass(frozen=True, slots=True)
class Telling:
    """What will be told of one prediction, in this order.

    A word is a class. A number between 0 and 1 stands for one that is drawn from the probabilities of the
    answer, for rows whose truth nobody knows.
    """

    outcomes: tuple[str | float, ...]


@dataclass(frozen=True, slots=True)
class Request:
    """One request, and what will be told of each of its rows."""

    path: str
    body: bytes
    n_rows: int
    tellings: tuple[Telling, ...]


def fetch_pool(rows: RowsConfig, data: DataConfig, served: Served, *, root: Path, seed: int) -> Pool:
    """Return the rows of a scenario.

    Parameters
    ----------
    rows : RowsConfig
    data : DataConfig
        The declaration of the problem.
    served : Served
        The features are those of the model that serves.
    root : Path
        Folder of the project.
    seed : int

    Raises
    ------
    DataError, IntegrityError
        When file or package cannot be read.
    ConfigError
        When the declared problem is not the one that is served.
    """
    if rows.kind == "reference":
        try:
            package = PackageStore(root / "state/packages").load(served.digest)
        except IntegrityError as error:
            raise IntegrityError(f"rows of kind reference need the package that serves: {error}") from error
        frame = draw_rows(package.reference, served.schema, n_rows=_POOL_ROWS, rng=np.random.default_rng([seed, 0, 0]))
        return Pool(frame, None, served.schema)
    declared = Schema.from_config(data)
    if rows.kind == "file":
        frame = _read(root / rows.path, data, declared)
    elif data.source.kind == "synthetic":
        source = data.source.model_copy(update={"rows": _POOL_ROWS, "seed": seed})
        frame = sources.fetch(data.model_copy(update={"source": source}), root=root).frame
    else:
        frame = sources.fetch(data, root=root).frame
    target = served.schema.target
    if missing := [name for name in (*served.schema.feature_names, target.column) if name not in frame.columns]:
        raise ConfigError(
            f"{served.name} has columns that the rows of {data.name} do not have: {', '.join(missing[:5])};"
            " run it in the project of the model that serves"
        )
    return Pool(frame[list(served.schema.feature_names)], frame[target.column].astype(str).tolist(), served.schema)


def _read(path: Path, data: DataConfig, declared: Schema) -> pd.DataFrame:
    from pipeline.config.groups.data import CsvSource
    from pipeline.data.conform import conform
    from pipeline.data.reader import read_csv

    if not path.is_file():
        raise DataError(f"{path}: there is no such file; `rows.path` is seen from the project's folder")
    if path.suffix != ".parquet":
        usual = CsvSource(kind="csv", path="data/external/rows.csv")
        return read_csv(path, declared, data.source if data.source.kind == "csv" else usual)
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return conform(pq.read_table(path), declared, where=str(path))
    except (pa.ArrowInvalid, OSError) as error:
        raise DataError(f"{path}: not a readable Parquet file: {error}") from error


def requests(
    pool: Pool, phase: PhaseConfig, outcomes: OutcomesConfig, *, n_rows: int, rows_per_request: int, seed: list[int]
) -> Iterator[Request]:
    """Yield the requests of a phase, together `n_rows` rows."""
    rng = np.random.default_rng(seed)
    movements = plan_movements(phase.changes, pool.schema, pool.rows)
    block = max(_BLOCK_ROWS // rows_per_request, 1) * rows_per_request
    for start in range(0, n_rows, block):
        n = min(block, n_rows - start)
        rows, tellings = _drawn(pool, phase, outcomes, movements, n, rng)
        for first in range(0, n, rows_per_request):
            some = slice(first, min(first + rows_per_request, n))
            if rng.random() < phase.bad_requests:
                yield _bad(rows[some], int(rng.integers(0, len(_SPOILED))))
            else:
                yield _request(rows[some], tellings[some])


def _drawn(
    pool: Pool,
    phase: PhaseConfig,
    outcomes: OutcomesConfig,
    movements: Sequence[Movement],
    n: int,
    rng: np.random.Generator,
) -> tuple[list[dict[str, Any]], list[Telling]]:
    picked = rng.integers(0, len(pool.rows), n)
    frame = move(pool.rows.iloc[picked].reset_index(drop=True), movements, rng)
    plain = json.loads(frame.to_json(orient="records", date_format="iso", date_unit="us"))
    classes = pool.schema.target.classes
    truths: list[str | float] = (
        rng.random(n).tolist() if pool.outcomes is None else [pool.outcomes[i] for i in picked.tolist()]
    )
    chances = rng.random((n, 4)).tolist()
    tellings = [
        _telling(truth, chance, phase.flipped_outcomes, outcomes, classes)
        for truth, chance in zip(truths, chances, strict=True)
    ]
    return plain, tellings


def _telling(
    truth: str | float, chance: list[float], flipped: float, outcomes: OutcomesConfig, classes: tuple[str, ...]
) -> Telling:
    is_told, is_flipped, is_repeated, is_conflicting = chance
    if is_told >= outcomes.share:
        return Telling(())
    if is_flipped < flipped:
        truth = _another(truth, is_flipped / flipped, classes)
    before = (_another(truth, is_conflicting, classes),) if is_conflicting < outcomes.conflicting else ()
    return Telling((*before, truth, *((truth,) if is_repeated < outcomes.repeated else ())))


def _another(truth: str | float, chance: float, classes: tuple[str, ...]) -> str:
    """Return another class than the truth; any where that is not known yet."""
    others = [one for one in classes if one != truth]
    return others[min(int(chance * len(others)), len(others) - 1)]


def _request(rows: list[dict[str, Any]], tellings: list[Telling]) -> Request:
    if len(rows) == 1:
        return Request("/predict", json.dumps({"features": rows[0]}).encode(), 1, tuple(tellings))
    return Request("/predict/batch", json.dumps({"instances": rows}).encode(), len(rows), tuple(tellings))


_SPOILED = ("a key nobody knows", "a value of another kind", "half a body")


def _bad(rows: list[dict[str, Any]], kind: int) -> Request:
    """Return a request as broken callers send them: it must be refused."""
    first = dict(rows[0])
    if _SPOILED[kind] == "a key nobody knows":
        first["no such feature"] = 1
    elif _SPOILED[kind] == "a value of another kind":
        first[next(iter(first))] = {"nested": True}
    body = json.dumps({"instances": [first, *rows[1:]]}).encode()
    return Request("/predict/batch", body[: len(body) // 2] if kind == 2 else body, len(rows), ())
