"""Evaluate the gates of the candidate, register it as a version, and promote it as far as the policy allows."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline import files, package
from pipeline.config.stage_entry import stage
from pipeline.errors import GateRefused
from pipeline.gates import GateInputs
from pipeline.project import paths
from pipeline.registry import open_model_registry
from pipeline.tracking.revision import revision_tags

if TYPE_CHECKING:
    from pipeline.config.root_config import Config


@stage("register")
def main(config: Config) -> None:
    """Write the gate report and register the candidate; exit with code 5 if its gates reject it."""
    registry = open_model_registry(config.tracking)
    inputs = GateInputs(
        files.read_parquet(paths.TEST_ROWS),
        files.read_json(paths.EVALUATION_REPORT),
        files.read_json(paths.VALIDATION_REPORT),
    )
    report = registry.evaluate_candidate(
        config.name, package.load_package(paths.CANDIDATE_PACKAGE), inputs, config=config.promotion, seed=config.seed
    )
    files.write_json(paths.REGISTRATION_REPORT, report.only_reproducible().as_dict())
    print(report.as_text(), flush=True)
    if "DVC_EXP_NAME" in os.environ and not config.promotion.register_experiments:
        print(
            "[register] experiment evaluated, not registered; promotion.register_experiments=true registers experiments"
        )
        return
    submission = registry.submit(
        config.name, paths.CANDIDATE_PACKAGE, report, config=config.promotion, tags=revision_tags(Path())
    )
    print(f"[register] {submission}")
    if report.verdict == "reject":
        failed = ", ".join(gate.name for gate in report.gates if gate.result == "fail")
        raise GateRefused(f"Not promoted. Failed gates: {failed}; see the table above")


if __name__ == "__main__":
    main()
