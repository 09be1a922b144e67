"""Evaluate a retrained candidate on fresh labels, and register it with the results of its gates."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from pipeline import files
from pipeline.errors import DataError
from pipeline.gates.gate_report import Gate, GateReport
from pipeline.project import paths
from pipeline.registry import ModelRegistry
from pipeline.registry.candidate_registration import evaluate_workspace
from pipeline.registry.stage_transitions import register_package
from pipeline.retraining.fresh_gate import FreshComparison, Reading, compare_on_fresh_labels, recalibrate
from pipeline.retraining.new_labels import read_fresh_rows, score_labels
from pipeline.retraining.retrain_request import packages_of

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.metrics import LabeledPredictions
    from pipeline.package import Package
    from pipeline.state import LoopContext, ModelVersion, Retrain

__all__ = ["CandidateEvaluation", "evaluate_retrained", "register_retrained"]

# Gates on test rows of the snapshot, most of which are older than the change that asked for the retrain.
_REPLACED_GATES = ("champion", "slices")


@dataclass(frozen=True, slots=True)
class CandidateEvaluation:
    """A candidate with its gates; `fresh` is the comparison on fresh labels."""

    digest: str
    gates: GateReport
    fresh: FreshComparison

    def as_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return {"digest": self.digest, "gates": self.gates.as_dict(), "fresh": self.fresh.as_dict()}


def evaluate_retrained(context: LoopContext, retrain: Retrain, *, folder: Path, snapshot: Path) -> CandidateEvaluation:
    """Compare the candidate in a worktree with the champion of the request, and store its package.

    Raises
    ------
    DataError
        When the reports of the worktree are missing or belong to another package.
    """
    packages = packages_of(context)
    champion = packages.load(retrain.facts["champion_digest"])
    report = evaluate_workspace(ModelRegistry(context.root), folder, context.config)
    candidate = packages.add(folder / paths.CANDIDATE_PACKAGE)
    fresh = _compare(context, retrain, candidate, champion=champion, snapshot=snapshot)
    gates = [gate for gate in report.gates if gate.name not in _REPLACED_GATES]
    gates += _fresh_gates(fresh)
    return CandidateEvaluation(candidate.digest, replace(report, gates=tuple(gates), compared=None), fresh)


def register_retrained(context: LoopContext, retrain: Retrain) -> ModelVersion:
    """Register the candidate of a retrain; the version stays in stage None, whatever the promotion policy is."""
    packages = packages_of(context)
    gates = dict(retrain.facts["evaluation"]["gates"])
    if "candidate_approved_by" in retrain.facts:
        gates = _approved(gates, retrain.facts["candidate_approved_by"])
    tags: dict[str, Any] = {"retrain": str(retrain.seq)}
    if retrain.commit_sha is not None:
        tags |= {"git.commit": retrain.commit_sha, "git.branch": retrain.branch, "git.dirty": "false"}
    registration = register_package(
        context.state,
        packages,
        context.model,
        candidate=packages.load(retrain.facts["evaluation"]["digest"]),
        description=f"retrain {retrain.seq}: {retrain.cause}",
        tags=tags,
        gates=gates,
    )
    return registration.version


def _approved(gates: dict[str, Any], actor: str) -> dict[str, Any]:
    """Return the gates with the decision of the person who lets a candidate go on trial that leaves a gate open."""
    note = f"; approved by {actor}"
    entries = [
        {**gate, "result": "pass", "reason": f"{gate['reason']}{note}"} if gate["result"] == "hold" else gate
        for gate in gates["gates"]
    ]
    report = GateReport.from_dict({**gates, "gates": entries})
    return report.as_dict()


def _compare(
    context: LoopContext, retrain: Retrain, candidate: Package, *, champion: Package, snapshot: Path
) -> FreshComparison:
    settings = context.config.lifecycle.retrain
    frame = read_fresh_rows(context.state, champion.schema, retrain, skip_callers=settings.labels.skip_callers)
    if frame.empty:
        reason = "no fresh label arrived"
        return FreshComparison(context.config.promotion.metric, 0, Reading("champion", "not compared", reason), ())
    fresh = score_labels(frame, champion)
    witnesses: dict[str, LabeledPredictions] = {}
    unfitted: tuple[Reading, ...] = ()
    if settings.gate.beat_recalibrated:
        try:
            witnesses = recalibrate(score_labels(files.read_parquet(snapshot), champion), fresh)
        except DataError as error:
            unfitted = (Reading("recalibrated champion", "not compared", str(error)),)
    comparison = compare_on_fresh_labels(
        score_labels(frame, candidate),
        fresh,
        recalibrated=witnesses,
        metric=context.config.promotion.metric,
        confidence_level=context.config.promotion.confidence_level,
    )
    return replace(comparison, recalibrated=comparison.recalibrated + unfitted)


def _fresh_gates(fresh: FreshComparison) -> list[Gate]:
    def gate(name: str, reading: Reading, otherwise: Literal["hold", "fail"]) -> Gate:
        result = "pass" if reading.is_better else otherwise
        return Gate(name, result, f"against the {reading.against}: {reading.reason}", depends_on="champion")

    witnesses = [gate("recalibrated_champion", reading, "hold") for reading in fresh.recalibrated]
    return [gate("fresh_labels", fresh.champion, "fail"), *witnesses]
