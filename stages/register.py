"""Evaluate the gates of the candidate, register it as a version, and promote it as far as the policy allows."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline import files
from pipeline.config.stage_entry import stage
from pipeline.project import paths
from pipeline.registry import open_model_registry
from pipeline.registry.candidate_registration import (
    RETRAIN_ENV,
    evaluate_workspace,
    refuse_rejected,
    submit_workspace,
)

if TYPE_CHECKING:
    from pipeline.config.root_config import Config


@stage("register")
def main(config: Config) -> None:
    """Write the gate report and register the candidate; exit with code 5 if its gates reject it."""
    registry, root = open_model_registry(config.tracking), Path()
    report = evaluate_workspace(registry, root, config)
    files.write_json(paths.REGISTRATION_REPORT, report.only_reproducible().as_dict())
    print(report.as_text(), flush=True)
    if RETRAIN_ENV in os.environ:
        print(f"[register] retrain {os.environ[RETRAIN_ENV]} evaluated, not registered; fresh labels decide about it")
        refuse_rejected(report.without_champion())
        return
    if "DVC_EXP_NAME" in os.environ and not config.promotion.register_experiments:
        print("[register] experiment evaluated, not registered; `mlops models register` registers it")
        return
    print(f"[register] {submit_workspace(registry, root, config, report)}")
    refuse_rejected(report)


if __name__ == "__main__":
    main()
