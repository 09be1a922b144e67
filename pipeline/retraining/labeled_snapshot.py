"""Write the labeled rows of the prediction log as a file that the source kind `labeled` reads."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import pandas as pd

from pipeline import files
from pipeline import state as store
from pipeline.data.cell_parsers import to_frame
from pipeline.data.labeled_source import AT, KEY, ORIGIN, WEIGHT
from pipeline.data.logged_features import logged_features
from pipeline.errors import ConfigError, DataError, MlopsError
from pipeline.project import paths
from pipeline.state.predictions import iter_models

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pipeline.schema import Schema
    from pipeline.state import LabeledRow, LabeledRows, Retrain, State

__all__ = [
    "LabeledSnapshot",
    "labeled_frame",
    "require_logged_features",
    "retrains_with_subject",
    "snapshots_with_subject",
    "write_snapshot",
]

SNAPSHOT_FOLDER = paths.EXTERNAL / "labeled"
_ADVICE = (
    "predictions of a version with another declaration cannot be learned from: leave them out by a later first"
    " prediction"
)


@dataclass(frozen=True, slots=True)
class LabeledSnapshot:
    """A written snapshot.

    Attributes
    ----------
    path : str
        Path of the rows below the project.
    sha256 : str
        Of the rows.
    n_rows : int
    n_other_outcomes : int
        Predictions left out because their outcome is none of the classes.
    n_rows_by_caller : dict of str to int
        Rows by the caller of their outcome; without authentication the caller is empty.
    first_at, last_at : int
        Moments of the first and last prediction, in microseconds since 1970.
    """

    path: str
    sha256: str
    n_rows: int
    n_other_outcomes: int
    n_rows_by_caller: dict[str, int]
    first_at: int
    last_at: int


def write_snapshot(state: State, schema: Schema, wanted: LabeledRows, *, root: Path, number: int) -> LabeledSnapshot:
    """Write `data/external/labeled/MODEL-NUMBER.parquet` and a description beside it; equal arguments give equal bytes.

    The rows have the features, the target, `snapshot_at`, `snapshot_weight`, `snapshot_origin` (who sent the outcome)
    and `snapshot_key` (identifier of the prediction).

    Parameters
    ----------
    state : State
    schema : Schema
        Declaration of the problem.
    wanted : LabeledRows
        Which part of the log counts.
    root : Path
        Folder of the project.
    number : int
        Number of the retrain.

    Raises
    ------
    ConfigError
        When the log does not store a feature in full.
    DataError
        When a value does not have the declared type, or no prediction has an outcome.
    """
    with state.reading() as connection:
        rows = store.read_labeled_rows(connection, wanted)
    known = [row for row in rows if row.outcome in schema.target.classes]
    frame = labeled_frame(known, schema)
    if not known:
        raise DataError(
            f"{wanted.model}: no prediction up to number {wanted.until_prediction} has an outcome of the classes"
            f" {', '.join(schema.target.classes)}; record outcomes with `mlops feedback FILE` or POST /feedback"
        )
    path = SNAPSHOT_FOLDER / f"{wanted.model}-{number}.parquet"
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    files.write_parquet(root / path, frame)
    moments = [row.predicted_at for row in known]
    snapshot = LabeledSnapshot(
        path=path.as_posix(),
        sha256=files.sha256_file(root / path),
        n_rows=len(known),
        n_other_outcomes=len(rows) - len(known),
        n_rows_by_caller=dict(sorted(Counter(row.caller for row in known).items())),
        first_at=min(moments),
        last_at=max(moments),
    )
    plain = asdict(wanted) | {"sources": list(wanted.sources), "skip_callers": list(wanted.skip_callers)}
    files.write_json(root / path.with_suffix(".json"), {"rows": plain, "snapshot": asdict(snapshot)})
    return snapshot


def require_logged_features(schema: Schema) -> None:
    """Refuse a problem with a feature that the prediction log does not store in full.

    Raises
    ------
    ConfigError
        Naming each feature and how it is stored.
    """
    lines = [
        f"{column.name}: the prediction log stores it with `store: {column.store}`; labeled rows need `store: full`"
        f" under data.columns.{column.name}"
        for column in schema.features
        if column.store != "full"
    ]
    if lines:
        raise ConfigError(
            "\n".join([*lines, "nothing was written: a model cannot learn from values that the log lacks"])
        )


def labeled_frame(rows: Sequence[LabeledRow], schema: Schema) -> pd.DataFrame:
    """Return labeled rows with their features and target in their types, and the columns of a snapshot.

    Raises
    ------
    ConfigError
        When the log does not store a feature in full.
    DataError
        When a value does not have the declared type.
    """
    require_logged_features(schema)
    records = [json.loads(row.features or "{}") for row in rows]
    frame = to_frame(logged_features(records, schema.features, private_notes=schema.private_notes, advice=_ADVICE))
    frame[schema.target.column] = pd.array([row.outcome for row in rows], "string")
    frame[AT] = pd.Series([row.predicted_at for row in rows], dtype="int64").astype("datetime64[us]")
    frame[WEIGHT] = pd.Series([row.weight for row in rows], dtype="float64")
    frame[ORIGIN] = pd.array([row.caller for row in rows], "string")
    frame[KEY] = pd.array([row.prediction_id for row in rows], "string")
    return frame


def snapshots_with_subject(state: State, subject: str, *, root: Path) -> list[str]:
    """Return the snapshots below `root` that hold rows of a subject, whose rows the log still has.

    A snapshot whose description is damaged counts as one that does.

    Parameters
    ----------
    state : State
    subject : str
        As the log stores it.
    root : Path
        Folder of the project.
    """
    holding = []
    for path in sorted((root / SNAPSHOT_FOLDER).glob("*.json")):
        wanted = _described_rows(path)
        with state.reading() as connection:
            if wanted is None or store.read_labeled_rows(connection, wanted, subject=subject):
                holding.append(path.with_suffix(".parquet").relative_to(root).as_posix())
    return holding


def _described_rows(path: Path) -> LabeledRows | None:
    """Return which rows a snapshot holds; None where its description is damaged."""
    try:
        return store.LabeledRows(**files.read_json(path)["rows"])
    except (KeyError, MlopsError, TypeError, ValueError):
        return None


def retrains_with_subject(state: State, subject: str) -> list[Retrain]:
    """Return the retrains whose snapshots hold rows of a subject; their branches and the cache of DVC have copies."""
    with state.reading() as connection:
        retrains = [retrain for model in iter_models(connection) for retrain in store.read_retrains(connection, model)]
        return [
            retrain
            for retrain in retrains
            if retrain.snapshot_sha256 is not None
            and store.read_labeled_rows(connection, _rows_of_snapshot(retrain), subject=subject)
        ]


def _rows_of_snapshot(retrain: Retrain) -> LabeledRows:
    return store.LabeledRows(retrain.model, retrain.until_prediction or 0, retrain.until_outcome or 0)
