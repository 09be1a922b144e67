"""Rows with their outcomes, cut into requests: the same ones for the same scenario and seed."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.data import sources
from pipeline.errors import ConfigError, DataError, IntegrityError
from pipeline.package import PackageStore
from pipeline.project import paths
from pipeline.schema import Schema
from pipeline.simulation.drift_injection import apply_drift, plan_drift_injections
from pipeline.simulation.row_sampler import sample_rows

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    import pandas as pd

    from pipeline.config.groups.data_config import DataConfig
    from pipeline.config.groups.scenario_config import OutcomesConfig, PhaseConfig, RowsConfig
    from pipeline.simulation.drift_injection import DriftInjection
    from pipeline.simulation.server_client import ServedModel

__all__ = ["DelayedOutcome", "RowPool", "SimulatedRequest", "fetch_row_pool", "generate_requests"]

_POOL_ROWS = 20_000
_DRAW_BLOCK_ROWS = 512  # rows that are drawn and moved at once


@dataclass(frozen=True, slots=True)
class RowPool:
    """Rows to draw from: their features, and what is true of each where that is known."""

    rows: pd.DataFrame
    outcomes: Sequence[str] | None
    schema: Schema


@dataclass(frozen=True, slots=True)
class DelayedOutcome:
    """What will be told of one prediction, in this order.

    A word is a class. A number between 0 and 1 stands for one that is drawn from the probabilities of the
    answer, for rows whose truth nobody knows.
    """

    outcomes: tuple[str | float, ...]


@dataclass(frozen=True, slots=True)
class SimulatedRequest:
    """One request, and what will be told of each of its rows."""

    path: str
    body: bytes
    n_rows: int
    delayed_outcomes: tuple[DelayedOutcome, ...]


def fetch_row_pool(rows: RowsConfig, data: DataConfig, served_model: ServedModel, *, root: Path, seed: int) -> RowPool:
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
            package = PackageStore(root / paths.PACKAGES).load(served_model.digest)
        except IntegrityError as error:
            raise IntegrityError(f"rows of kind reference need the package that serves: {error}") from error
        frame = sample_rows(
            package.reference, served_model.schema, n_rows=_POOL_ROWS, rng=np.random.default_rng([seed, 0, 0])
        )
        return RowPool(frame, None, served_model.schema)
    declared = Schema.from_config(data)
    if rows.kind == "file":
        frame = _read_file(root / rows.path, data, declared)
    elif data.source.kind == "synthetic":
        source = data.source.model_copy(update={"rows": _POOL_ROWS, "seed": seed})
        frame = sources.fetch_rows(data.model_copy(update={"source": source}), root=root).frame
    else:
        frame = sources.fetch_rows(data, root=root).frame
    target = served_model.schema.target
    if missing := [name for name in (*served_model.schema.feature_names, target.column) if name not in frame.columns]:
        raise ConfigError(
            f"{served_model.name} has columns that the rows of {data.name} do not have: {', '.join(missing[:5])};"
            " run it in the project of the model that serves"
        )
    return RowPool(
        frame[list(served_model.schema.feature_names)], frame[target.column].astype(str).tolist(), served_model.schema
    )


def _read_file(path: Path, data: DataConfig, declared: Schema) -> pd.DataFrame:
    from pipeline.data.coerce import coerce_to_schema
    from pipeline.data.csv_reader import read_csv

    if not path.is_file():
        raise DataError(f"{path}: there is no such file; `rows.path` is seen from the project's folder")
    if path.suffix != ".parquet":
        return read_csv(path, declared, data.csv_dialect)
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return coerce_to_schema(pq.read_table(path), declared, where=str(path))
    except (pa.ArrowInvalid, OSError) as error:
        raise DataError(f"{path}: not a readable Parquet file: {error}") from error


def generate_requests(
    pool: RowPool, phase: PhaseConfig, outcomes: OutcomesConfig, *, n_rows: int, rows_per_request: int, seed: list[int]
) -> Iterator[SimulatedRequest]:
    """Yield the requests of a phase, together `n_rows` rows."""
    rng = np.random.default_rng(seed)
    movements = plan_drift_injections(phase.changes, pool.schema, pool.rows)
    block = max(_DRAW_BLOCK_ROWS // rows_per_request, 1) * rows_per_request
    for start in range(0, n_rows, block):
        n = min(block, n_rows - start)
        rows, tellings = _draw_block(pool, phase, outcomes, movements, n, rng)
        for first in range(0, n, rows_per_request):
            some = slice(first, min(first + rows_per_request, n))
            if rng.random() < phase.bad_request_share:
                yield _invalid_request(rows[some], int(rng.integers(0, len(_INVALID_KINDS))))
            else:
                yield _predict_request(rows[some], tellings[some])


def _draw_block(
    pool: RowPool,
    phase: PhaseConfig,
    outcomes: OutcomesConfig,
    injections: Sequence[DriftInjection],
    n: int,
    rng: np.random.Generator,
) -> tuple[list[dict[str, Any]], list[DelayedOutcome]]:
    picked = rng.integers(0, len(pool.rows), n)
    frame = apply_drift(pool.rows.iloc[picked].reset_index(drop=True), injections, rng)
    plain = json.loads(frame.to_json(orient="records", date_format="iso", date_unit="us"))
    classes = pool.schema.target.classes
    truths: list[str | float] = (
        rng.random(n).tolist() if pool.outcomes is None else [pool.outcomes[i] for i in picked.tolist()]
    )
    chances = rng.random((n, 4)).tolist()
    tellings = [
        _draw_delayed_outcome(truth, chance, phase.flipped_outcome_share, outcomes, classes)
        for truth, chance in zip(truths, chances, strict=True)
    ]
    return plain, tellings


def _draw_delayed_outcome(
    truth: str | float, draws: list[float], flipped_share: float, outcomes: OutcomesConfig, classes: tuple[str, ...]
) -> DelayedOutcome:
    is_told, is_flipped, is_repeated, is_conflicting = draws
    if is_told >= outcomes.share:
        return DelayedOutcome(())
    if is_flipped < flipped_share:
        truth = _other_class(truth, is_flipped / flipped_share, classes)
    before = (_other_class(truth, is_conflicting, classes),) if is_conflicting < outcomes.conflicting_share else ()
    return DelayedOutcome((*before, truth, *((truth,) if is_repeated < outcomes.duplicate_share else ())))


def _other_class(truth: str | float, chance: float, classes: tuple[str, ...]) -> str:
    """Return another class than the truth; any where that is not known yet."""
    others = [one for one in classes if one != truth]
    return others[min(int(chance * len(others)), len(others) - 1)]


def _predict_request(rows: list[dict[str, Any]], delayed_outcomes: list[DelayedOutcome]) -> SimulatedRequest:
    if len(rows) == 1:
        return SimulatedRequest("/predict", json.dumps({"features": rows[0]}).encode(), 1, tuple(delayed_outcomes))
    return SimulatedRequest(
        "/predict/batch", json.dumps({"instances": rows}).encode(), len(rows), tuple(delayed_outcomes)
    )


_INVALID_KINDS = ("a key nobody knows", "a value of another kind", "half a body")


def _invalid_request(rows: list[dict[str, Any]], kind: int) -> SimulatedRequest:
    """Return a request as broken callers send them: it must be refused."""
    first = dict(rows[0])
    if _INVALID_KINDS[kind] == "a key nobody knows":
        first["no such feature"] = 1
    elif _INVALID_KINDS[kind] == "a value of another kind":
        first[next(iter(first))] = {"nested": True}
    body = json.dumps({"instances": [first, *rows[1:]]}).encode()
    return SimulatedRequest("/predict/batch", body[: len(body) // 2] if kind == 2 else body, len(rows), ())
