"""A mitigation weighs rows or chooses thresholds, and never looks at the rows that it decides."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from pipeline.errors import ConfigError
from pipeline.modeling.classifier import encode_target
from pipeline.modeling.classifier_fit import fit_classifier
from pipeline.modeling.dry_fit import check_fit
from pipeline.modeling.mitigation import MitigatedRows, Mitigation
from tests.fixtures.toy_dataset import FAST, rows, schema, settings

if TYPE_CHECKING:
    from pipeline.schema import Schema


def protected_schema(name: str = "colour") -> Schema:
    plain = schema()
    return replace(plain, columns=tuple(replace(column, protected=column.name == name) for column in plain.columns))


def overrides(kind: str, metric: str = "null", column: str = "colour") -> tuple[str, ...]:
    values = {"kind": kind, "column": column, "metric": metric, "reason": "a test"}
    return (*FAST, *(f"fairness.mitigation.{key}={value}" for key, value in values.items()))


def mitigation(kind: str, metric: str = "null") -> Mitigation:
    found = Mitigation.from_config(settings(*overrides(kind, metric)).fairness, protected_schema())
    assert found is not None
    return found


def test_by_default_there_is_no_mitigation() -> None:
    assert Mitigation.from_config(settings().fairness, schema()) is None
    assert Mitigation.from_config(None, schema()) is None


def test_a_column_that_is_not_protected_is_refused() -> None:
    with pytest.raises(ConfigError, match="colour is not protected"):
        Mitigation.from_config(settings(*overrides("reweigh")).fairness, schema())


def test_only_reweighing_weighs_rows() -> None:
    frame = rows(200)
    weights = mitigation("reweigh").row_weights(frame)
    assert weights is not None
    assert weights.sum() == pytest.approx(200)
    assert mitigation("thresholds", "selection_rate").row_weights(frame) is None


def test_weights_change_what_is_fitted() -> None:
    config, frame, declared = settings(*overrides("reweigh")), rows(300), protected_schema()
    plain, weighed = (
        fit_classifier(frame, declared, config.features, model=config.model, seed=1, mitigation=each)
        for each in (None, mitigation("reweigh"))
    )
    assert not np.allclose(plain.predict_proba(frame), weighed.predict_proba(frame))


def test_an_estimator_without_row_weights_is_refused() -> None:
    config = settings("model=knn", *overrides("reweigh")[1:])
    with pytest.raises(ConfigError, match="knn does not support weights of rows"):
        fit_classifier(
            rows(100), protected_schema(), config.features, model=config.model, seed=1, mitigation=mitigation("reweigh")
        )
    with pytest.raises(ConfigError, match="knn does not support weights of rows"):
        check_fit(
            protected_schema(),
            config.features,
            model=config.model,
            training=config.training,
            seed=1,
            fairness=config.fairness,
        )


def test_the_thresholds_of_a_fold_do_not_depend_on_its_classes() -> None:
    frame, declared = rows(900), protected_schema()
    codes = encode_target(frame, declared.target)
    inside = np.arange(900) % 3 == 0
    scores = np.random.default_rng(0).random(900)
    both = np.column_stack([1 - scores, scores])
    chosen = []
    for changed in (codes, np.where(inside, 1 - codes, codes)):
        found = mitigation("thresholds", "true_positive_rate")
        grouped = MitigatedRows(found, found.grouping(frame), changed)
        chosen.append(grouped.cross_thresholds(both[~inside], inside, default=0.5))
    assert isinstance(chosen[0], np.ndarray)
    assert chosen[0].tolist() == chosen[1].tolist()
