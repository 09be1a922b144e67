"""Evaluate the gates of the candidate in a workspace and register it, for the stage and for the command."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline import files
from pipeline.errors import DatabaseMissing, DataError, GateRefused
from pipeline.gates import GateInputs
from pipeline.package import load_package
from pipeline.package.manifest import MANIFEST_FILE
from pipeline.project import paths
from pipeline.tracking.revision import revision_tags
from pipeline.version_comparison import evaluation_summary

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.config.root_config import Config
    from pipeline.gates import GateReport
    from pipeline.registry.model_registry import ModelRegistry
    from pipeline.registry.submission import Submission
    from pipeline.state import ModelVersion

__all__ = ["RETRAIN_ENV", "evaluate_workspace", "refuse_rejected", "registered_candidate", "submit_workspace"]

# Number of the retrain whose graph runs; the retrain compares its candidate on fresh labels, and registers it.
RETRAIN_ENV = "MLOPS_RETRAIN"


def registered_candidate(registry: ModelRegistry, root: Path, config: Config) -> ModelVersion | None:
    """Return the version of the package in models/candidate; None when the registry does not have it.

    Raises
    ------
    DataError
        When there is no candidate.
    """
    manifest = root / paths.CANDIDATE_PACKAGE / MANIFEST_FILE
    if not manifest.is_file():
        raise DataError(
            f"{paths.CANDIDATE_PACKAGE}: there is no model package to register; run `dvc pull` or `dvc repro`"
        )
    digest = files.sha256_file(manifest)
    try:
        versions = registry.list_models(config.name)
    except DatabaseMissing:  # the registration creates it anew
        return None
    return next((version for version in versions if version.digest == digest), None)


def evaluate_workspace(registry: ModelRegistry, root: Path, config: Config) -> GateReport:
    """Return the gates of the candidate of a workspace against the current Production version.

    Raises
    ------
    DataError
        When the reports of the workspace are missing or belong to another package.
    """
    candidate = load_package(root / paths.CANDIDATE_PACKAGE)
    evaluation = files.read_json(root / paths.EVALUATION_REPORT)
    if evaluation["package"] != candidate.digest:
        raise DataError(
            f"{paths.EVALUATION_REPORT}: evaluates package {str(evaluation['package'])[:12]}, and"
            f" {paths.CANDIDATE_PACKAGE} is {candidate.digest[:12]}; run `dvc repro`"
        )
    inputs = GateInputs(
        files.read_parquet(root / paths.TEST_ROWS), evaluation, files.read_json(root / paths.VALIDATION_REPORT)
    )
    return registry.evaluate_candidate(config.name, candidate, inputs, config=config.promotion)


def submit_workspace(registry: ModelRegistry, root: Path, config: Config, report: GateReport) -> Submission:
    """Register the candidate of a workspace with its commit and test metrics; promote it as the policy allows."""
    evaluation = evaluation_summary(files.read_json(root / paths.EVALUATION_REPORT))
    tags = {**revision_tags(root), "evaluation": evaluation}
    return registry.submit(config.name, root / paths.CANDIDATE_PACKAGE, report, config=config.promotion, tags=tags)


def refuse_rejected(report: GateReport) -> None:
    """Raise `GateRefused` when a gate failed; the version is registered and keeps its stage."""
    if report.verdict == "reject":
        failed = "; ".join(f"{gate.name} ({gate.reason})" for gate in report.gates if gate.result == "fail")
        raise GateRefused(f"Not promoted. Failed gates: {failed}")
