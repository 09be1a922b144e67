"""With a threshold for each group, library, HTTP, batch, file and another copy of the package predict the same."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

from pipeline import package
from pipeline.errors import IntegrityError
from pipeline.modeling.mitigation_effect import train_with_mitigation
from pipeline.serving.files.file_scorer import score_file
from pipeline.serving.http.golden_replay import replay_golden_rows
from pipeline.serving.loaded_model import LoadedModel
from pipeline.serving.rows.row_parser import RowParser
from pipeline.serving.scorer import RowScorer
from tests.fixtures.toy_dataset import rows, settings
from tests.pipeline.modeling.test_mitigation import overrides, protected_schema

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.package import Package

FRAME = rows(200, seed=5)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A package whose thresholds differ by colour."""
    config, train = settings(*overrides("thresholds", "selection_rate")), rows(900)
    trained = train_with_mitigation(train, protected_schema(), config)
    path = tmp_path_factory.mktemp("groups") / "candidate"
    package.write_package(
        path,
        trained.result.classifier,
        train=train,
        test=rows(100, seed=1),
        scores=trained.result.out_of_fold,
        metrics=trained.result.mean_metrics,
        lineage={},
        training=config.training,
        model=config.model.name,
        mitigation=trained.effect,
    )
    return path


@pytest.fixture(scope="module")
def loaded(folder: Path) -> Package:
    return package.load_package(folder)


def model_of(loaded: Package) -> LoadedModel:
    parser, scorer = RowParser(loaded.schema, max_rows=1000), RowScorer(loaded, many_missing=1.0, hash_key=b"key")
    return LoadedModel("small", 1, "d" * 64, 1, "production", loaded, parser, scorer)


def request_columns(loaded: Package) -> dict[str, list[Any]]:
    columns = {}
    for name in loaded.schema.feature_names:
        values = FRAME[name].astype(object).where(FRAME[name].notna(), None).tolist()
        columns[name] = [value.isoformat() if isinstance(value, pd.Timestamp) else value for value in values]
    return columns


def test_groups_have_thresholds_and_they_change_predictions(loaded: Package) -> None:
    thresholds = loaded.row_thresholds(FRAME)
    assert isinstance(thresholds, np.ndarray)
    one_for_all = replace(loaded, serving_classifier=replace(loaded.serving_classifier, group_thresholds=None))
    assert len(set(thresholds.tolist())) >= 2
    assert (loaded.predict(FRAME) != one_for_all.predict(FRAME)).any()


def test_every_interface_predicts_the_same_class(folder: Path, loaded: Package, tmp_path: Path) -> None:
    expected, columns = loaded.predict(FRAME).tolist(), request_columns(loaded)
    scorer = model_of(loaded).scorer
    values = list(zip(*columns.values(), strict=True))
    assert [row.label for row in scorer.score(values)] == expected
    assert [scorer.score([row])[0].label for row in values[:50]] == expected[:50]
    assert package.load_package(folder).predict(columns).tolist() == expected
    FRAME[list(columns)].to_parquet(tmp_path / "rows.parquet", index=False)
    score_file(loaded, tmp_path / "rows.parquet", tmp_path / "scored.parquet")
    assert pd.read_parquet(tmp_path / "scored.parquet")["prediction"].tolist() == expected
    recorded = {"columns": columns, "probabilities": loaded.predict_proba(FRAME).tolist(), "classes": expected}
    replay_golden_rows(model_of(replace(loaded, golden_rows=recorded)))  # over HTTP, one by one and as a batch
    assert loaded.sklearn_classifier().predict(FRAME).tolist() == expected


def test_golden_rows_have_each_group_and_refuse_another_threshold(folder: Path, loaded: Package) -> None:
    assert {"blue", "red", None} <= set(loaded.golden_rows["columns"]["colour"])
    groups = loaded.serving_classifier.group_thresholds
    assert groups is not None
    turned = replace(groups, thresholds={name: 1.0 - value for name, value in groups.thresholds.items()})
    changed = replace(loaded.serving_classifier, group_thresholds=turned)
    with pytest.raises(IntegrityError, match="a threshold of its group has changed"):
        package.golden_check.check_golden_classes(loaded.golden_rows, changed)


def test_the_package_states_its_mitigation(folder: Path, loaded: Package) -> None:
    assert loaded.mitigation == json.loads((folder / "mitigation.json").read_text(encoding="utf-8"))
    assert "Groups of `colour` have thresholds of their own: blue" in loaded.card
