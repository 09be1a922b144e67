"""Cross-validate, fit and package the estimator; outside of DVC, run a trial that leaves the outputs unchanged."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline import files, package
from pipeline.config.stage_entry import stage
from pipeline.data.splitters import hash_split
from pipeline.modeling.mitigation_effect import train_with_mitigation
from pipeline.package.training_lineage import training_lineage
from pipeline.project import paths
from pipeline.schema import Schema
from pipeline.sweeps import LedgerSweepRunner, run_trial

if TYPE_CHECKING:
    from pipeline.config.root_config import Config


@stage("train", manual_task=run_trial, sweep_runner=LedgerSweepRunner())
def main(config: Config) -> float:
    """Write the candidate package and its cross-validated metrics; return the selection metric."""
    train, test = files.read_parquet(paths.TRAIN_ROWS), files.read_parquet(paths.TEST_ROWS)
    schema = Schema.from_config(config.data)
    trained = train_with_mitigation(train, schema, config)
    result = trained.result
    data = {name: files.sha256_file(path) for name, path in (("train", paths.TRAIN_ROWS), ("test", paths.TEST_ROWS))}
    manifest = package.write_package(
        paths.CANDIDATE_PACKAGE,
        result.classifier,
        train=train,
        test=test,  # nothing is fitted to them
        scores=result.out_of_fold,
        metrics=result.mean_metrics,
        lineage=training_lineage(config, data=data, source=files.read_json(paths.SOURCE_FINGERPRINT)),
        training=config.training,
        model=config.model.name,
        split=hash_split(config.data.split, seed=config.seed),
        mitigation=trained.effect,
    )
    files.write_json(paths.TRAIN_METRICS, result.as_dict())
    print(f"[train] {result.summary}; package {manifest.digest[:12]}")
    return result.selection_value


if __name__ == "__main__":
    main()
