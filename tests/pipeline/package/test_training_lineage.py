"""The lineage of a package depends on the inputs of training, and on nothing else."""

from __future__ import annotations

from pipeline.package.training_lineage import training_lineage
from tests.fixtures.toy_dataset import FAST, settings


def test_lineage_follows_the_settings_that_training_reads() -> None:
    def of(*overrides: str) -> str:
        return training_lineage(settings(*FAST, *overrides), data={"train": "a"}, source={})["params_sha256"]

    assert of("training.n_jobs=3") == of() == of("drift=default")
    assert len({of(), of("seed=7"), of("model.estimator.C=2.0"), of("training.calibration=sigmoid")}) == 4
