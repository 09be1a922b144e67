"""Folds give the same bits in threads of this process and in a worker."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from pipeline.errors import DependencyUnavailable
from pipeline.modeling.classifier import encode_target
from pipeline.modeling.fold_fits import BaselineFitter, FoldFits, ModelFitter, _Fit, _run_fit_alone
from pipeline.modeling.training import assign_folds
from tests.fixtures.toy_dataset import FAST, rows, schema, settings

if TYPE_CHECKING:
    from pipeline.config.groups.engine_config import PartEngineConfig

MODEL = "model=hist_gradient_boosting"


def folds_of(engine: PartEngineConfig | None, *overrides: str) -> FoldFits:
    config, frame = settings(*FAST, *overrides), rows()
    fold_of = assign_folds(encode_target(frame, schema().target), schema().target, 3, seed=1)
    return FoldFits(frame, fold_of, config.training, None, engine)


def fitters(*overrides: str) -> dict[str, Any]:
    config = settings(*FAST, *overrides)
    model = ModelFitter(schema(), config.features, config.model, None, None, config.seed)
    return {"model": model, "majority": BaselineFitter("majority", schema(), 1)}


@pytest.mark.parametrize("stages", [(), (2, 5)])
def test_a_worker_scores_a_fold_as_this_process_does(stages: tuple[int, ...]) -> None:
    folds, by_name = folds_of(None), fitters(MODEL)
    _, scores = folds.fit_and_score(by_name, stages=stages)
    fit = pickle.loads(pickle.dumps(_Fit(by_name["model"], 1, stages)))
    alone = _run_fit_alone(folds.frame, folds.fold_of, fit)
    assert np.array_equal(scores["model"][:, folds.fold_of == 1], alone)


def test_a_fit_of_a_worker_is_that_of_all_rows() -> None:
    folds, by_name = folds_of(None), fitters(MODEL)
    classifier, _ = folds.fit_and_score(by_name, stages=())
    alone = pickle.loads(pickle.dumps(_run_fit_alone(folds.frame, folds.fold_of, _Fit(by_name["model"]))))
    assert np.array_equal(classifier.predict_proba(folds.frame), alone.predict_proba(folds.frame))


def test_a_cluster_that_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLOPS_DASK_ADDRESS", raising=False)
    engine = settings("engine=dask").engine
    with pytest.raises(DependencyUnavailable, match="MLOPS_DASK_ADDRESS is not set"):
        folds_of(engine).fit_and_score(fitters(), stages=())
