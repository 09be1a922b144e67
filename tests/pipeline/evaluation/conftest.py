"""One small package for each kind of problem, made once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import pytest

from pipeline import package
from pipeline.evaluation import EvaluationReport, evaluate_package
from pipeline.modeling.training import train_classifier
from tests.fixtures.toy_dataset import FAST, rows, schema, settings

if TYPE_CHECKING:
    import pandas as pd

    from pipeline.config.root_config import Config


@dataclass(frozen=True)
class PackagedProblem:
    """A packaged classifier with its rows and settings."""

    package: package.Package
    train: pd.DataFrame
    test: pd.DataFrame
    config: Config

    def evaluate(self, **changes: object) -> EvaluationReport:
        settings_ = self.config.evaluation.model_copy(update=changes)
        return evaluate_package(
            self.package,
            self.train,
            self.test,
            config=settings_,
            fairness=self.config.fairness,
            selection_metric="log_loss",
            seed=42,
        )

    @cached_property
    def report(self) -> EvaluationReport:
        return self.evaluate()


def _make(tmp_path_factory: pytest.TempPathFactory, n_classes: int) -> PackagedProblem:
    config, declared = settings(*FAST), schema(n_classes)
    learn, test = rows(400, n_classes), rows(300, n_classes, seed=1)
    result = train_classifier(
        learn, declared, config.features, model=config.model, training=config.training, seed=config.seed
    )
    folder = tmp_path_factory.mktemp("package") / "candidate"
    package.write_package(
        folder,
        result.classifier,
        train=learn,
        test=test,
        scores=result.out_of_fold,
        metrics=result.mean_metrics,
        lineage={"data": "small"},
        training=config.training,
        model=config.model.name,
    )
    return PackagedProblem(package.load_package(folder), learn, test, config)


@pytest.fixture(scope="session")
def binary(tmp_path_factory: pytest.TempPathFactory) -> PackagedProblem:
    return _make(tmp_path_factory, 2)


@pytest.fixture(scope="session")
def three_classes(tmp_path_factory: pytest.TempPathFactory) -> PackagedProblem:
    return _make(tmp_path_factory, 3)
