"""Requests with rows and outcomes; a scenario and a seed give the same requests."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.data import sources
from pipeline.errors import ConfigError, DataError, IntegrityError
from pipeline.package import PackageStore
from pipeline.project import paths
from pipeline.schema import Schema
from pipeline.simulation.drift_injection import apply_drift, plan_condition, plan_drift_injections
from pipeline.simulation.row_sampler import sample_rows

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    import pandas as pd

    from pipeline.config.groups.data_config import DataConfig
    from pipeline.config.groups.scenario_config import OutcomesConfig, PhaseConfig, RowsConfig
    from pipeline.simulation.drift_injection import DriftInjection, RowCondition
    from pipeline.simulation.server_client import ServedModel

__all__ = ["DelayedOutcome", "RowPool", "SimulatedRequest", "fetch_row_pool", "generate_requests"]

_POOL_ROWS = 20_000
_DRAW_BLOCK_ROWS = 512  # rows sampled and changed at once


@dataclass(frozen=True, slots=True)
class RowPool:
    """Rows to sample from, with their outcomes if known."""

    rows: pd.DataFrame
    outcomes: Sequence[str] | None
    schema: Schema


@dataclass(frozen=True, slots=True)
class DelayedOutcome:
    """Outcomes to send for one prediction, in order.

    A text is a class. A number between 0 and 1 selects a class by the predicted probabilities, for rows
    without a known outcome.
    """

    outcomes: tuple[str | float, ...]


@dataclass(frozen=True, slots=True)
class SimulatedRequest:
    """One request, the outcomes of its rows, and the number of the caller who sends them (from 0)."""

    path: str
    body: bytes
    n_rows: int
    delayed_outcomes: tuple[DelayedOutcome, ...]
    caller: int = 0


def fetch_row_pool(rows: RowsConfig, data: DataConfig, served_model: ServedModel, *, root: Path, seed: int) -> RowPool:
    """Return the rows of a scenario.

    Parameters
    ----------
    rows : RowsConfig
    data : DataConfig
        The declaration of the problem.
    served_model : ServedModel
        The rows have the features of this model.
    root : Path
        Project root.
    seed : int

    Raises
    ------
    DataError, IntegrityError
        When the file or the package cannot be read.
    ConfigError
        When the served model belongs to another problem.
    """
    if rows.kind == "reference":
        try:
            package = PackageStore(root / paths.PACKAGES).load(served_model.digest)
        except IntegrityError as error:
            raise IntegrityError(f"rows of kind reference need the package of the active model: {error}") from error
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
            f"{served_model.name} needs columns that the rows of {data.name} lack: {', '.join(missing[:5])};"
            " run it in the project of the served model"
        )
    return RowPool(
        frame[list(served_model.schema.feature_names)], frame[target.column].astype(str).tolist(), served_model.schema
    )


def _read_file(path: Path, data: DataConfig, declared: Schema) -> pd.DataFrame:
    from pipeline.data.source_files import read_file_rows

    if not path.is_file():
        raise DataError(f"{path}: no such file; `rows.path` is relative to the project root")
    return read_file_rows(path, declared, data, where=str(path))


@dataclass(frozen=True, slots=True)
class _PhaseTraffic:
    """The rows of one phase: what changes, whose outcomes flip, and who sends them."""

    pool: RowPool
    phase: PhaseConfig
    outcomes: OutcomesConfig
    injections: Sequence[DriftInjection]
    condition: RowCondition | None

    def draw_block(
        self, n: int, caller: int, rng: np.random.Generator
    ) -> tuple[list[dict[str, Any]], list[DelayedOutcome]]:
        """Return `n` rows with the outcomes that a caller sends for them."""
        pool = self.pool
        picked = rng.integers(0, len(pool.rows), n)
        frame = apply_drift(pool.rows.iloc[picked].reset_index(drop=True), self.injections, rng)
        records = json.loads(frame.to_json(orient="records", date_format="iso", date_unit="us"))
        for column in pool.schema.features:
            if column.zone is not None:
                records = [{**record, column.name: column.to_request_value(record[column.name])} for record in records]
        truths: list[str | float] = (
            rng.random(n).tolist() if pool.outcomes is None else [pool.outcomes[i] for i in picked.tolist()]
        )
        delayed = [
            _draw_delayed_outcome(truth, chance, share, self.outcomes, pool.schema.target.classes)
            for truth, chance, share in zip(
                truths, rng.random((n, 4)).tolist(), self._flipped_shares(frame, caller), strict=True
            )
        ]
        return records, delayed

    def _flipped_shares(self, frame: pd.DataFrame, caller: int) -> list[float]:
        """Return the chance of each row that the caller sends another class."""
        n_flipping = self.phase.flipped_outcome_callers
        share = self.phase.flipped_outcome_share if n_flipping is None or caller < n_flipping else 0.0
        if self.condition is None:
            return [share] * len(frame)
        return [share if is_met else 0.0 for is_met in self.condition.mask(frame).tolist()]


def generate_requests(
    pool: RowPool, phase: PhaseConfig, outcomes: OutcomesConfig, *, n_rows: int, rows_per_request: int, seed: list[int]
) -> Iterator[SimulatedRequest]:
    """Yield the requests of a phase, with `n_rows` rows in total; the callers take turns by blocks of rows."""
    rng = np.random.default_rng(seed)
    where = phase.flipped_outcome_where
    condition = None if where is None else plan_condition(where, pool.schema, pool.rows)
    injections = plan_drift_injections(phase.changes, pool.schema, pool.rows)
    traffic = _PhaseTraffic(pool, phase, outcomes, injections, condition)
    block = max(_DRAW_BLOCK_ROWS // outcomes.n_callers // rows_per_request, 1) * rows_per_request
    for number, start in enumerate(range(0, n_rows, block)):
        n, caller = min(block, n_rows - start), number % outcomes.n_callers
        rows, delayed = traffic.draw_block(n, caller, rng)
        for first in range(0, n, rows_per_request):
            part = slice(first, min(first + rows_per_request, n))
            if rng.random() < phase.bad_request_share:
                yield _invalid_request(rows[part], int(rng.integers(0, len(_INVALID_KINDS))))
            else:
                yield replace(_predict_request(rows[part], delayed[part]), caller=caller)


def _draw_delayed_outcome(
    truth: str | float, draws: list[float], flipped_share: float, outcomes: OutcomesConfig, classes: tuple[str, ...]
) -> DelayedOutcome:
    sent, flipped, duplicated, conflicting = draws
    if sent >= outcomes.share:
        return DelayedOutcome(())
    if flipped < flipped_share:
        truth = _other_class(truth, flipped / flipped_share, classes)
    before = (_other_class(truth, conflicting, classes),) if conflicting < outcomes.conflicting_share else ()
    return DelayedOutcome((*before, truth, *((truth,) if duplicated < outcomes.duplicate_share else ())))


def _other_class(truth: str | float, chance: float, classes: tuple[str, ...]) -> str:
    """Return a class other than the truth; any class if the truth is unknown."""
    others = [name for name in classes if name != truth]
    return others[min(int(chance * len(others)), len(others) - 1)]


def _predict_request(rows: list[dict[str, Any]], delayed_outcomes: list[DelayedOutcome]) -> SimulatedRequest:
    if len(rows) == 1:
        return SimulatedRequest("/predict", json.dumps({"features": rows[0]}).encode(), 1, tuple(delayed_outcomes))
    return SimulatedRequest(
        "/predict/batch", json.dumps({"instances": rows}).encode(), len(rows), tuple(delayed_outcomes)
    )


_INVALID_KINDS = ("unknown key", "wrong type", "truncated body")


def _invalid_request(rows: list[dict[str, Any]], kind: int) -> SimulatedRequest:
    """Return an invalid request, which a server must reject."""
    first = dict(rows[0])
    if _INVALID_KINDS[kind] == "unknown key":
        first["no such feature"] = 1
    elif _INVALID_KINDS[kind] == "wrong type":
        first[next(iter(first))] = {"nested": True}
    body = json.dumps({"instances": [first, *rows[1:]]}).encode()
    return SimulatedRequest(
        "/predict/batch", body[: len(body) // 2] if _INVALID_KINDS[kind] == "truncated body" else body, len(rows), ()
    )
