"""Bring a candidate before its gates, register it, and let it go as far as the policy says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipeline import state as store
from pipeline.errors import Conflict
from pipeline.gates import GateInputs, GateReport, evaluate_gates
from pipeline.registry import stage_transitions

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pipeline.config.groups.monitoring_config import PromotionConfig
    from pipeline.package import Package
    from pipeline.package.package_store import PackageStore
    from pipeline.state import ModelVersion, State

__all__ = ["Submission", "evaluate_candidate", "submit"]


@dataclass(frozen=True, slots=True)
class Submission:
    """What became of a candidate: its version, and the stage that it reached by itself (None when it stays)."""

    version: ModelVersion
    is_new: bool
    stage: str | None

    def __str__(self) -> str:
        one = self.version
        where = f"goes to {self.stage}" if self.stage is not None else f"is in stage {one.stage}"
        return f"{one.model} version {one.version} ({one.semver}) {where}{'' if self.is_new else ', registered before'}"


def evaluate_candidate(
    state: State,
    packages: PackageStore,
    model: str,
    *,
    candidate: Package,
    inputs: GateInputs,
    config: PromotionConfig,
    seed: int,
) -> GateReport:
    """Return what the gates say of a candidate, against what is in Production now."""
    with state.reading() as connection:
        digest = store.current_deployment(connection, model).digests.get("Production")
    champion = None if digest is None else packages.load(digest)
    return evaluate_gates(candidate, inputs, config, champion=champion, seed=seed)


def submit(
    state: State,
    packages: PackageStore,
    model: str,
    *,
    source: Path,
    report: GateReport,
    config: PromotionConfig,
    tags: Mapping[str, Any],
) -> Submission:
    """Register the package at `source`; one that passes moves on by `config.policy`, the first ever to Production.

    A package that was registered before keeps the stage that it has: a stage that is run again decides nothing anew.

    Raises
    ------
    Conflict
        When another version went into Production since the gates were asked.
    """
    candidate = packages.add(source)
    version, is_new = stage_transitions.register(
        state,
        packages,
        model,
        candidate=candidate,
        tags=tags,
        gates=report.as_dict(),
        description=_description(candidate),
    )
    if not is_new or config.policy == "manual" or report.verdict != "promote":
        return Submission(version, is_new, None)
    with state.reading() as connection:
        served = store.current_deployment(connection, model)
    if served.digests.get("Production") != report.champion:
        raise Conflict(
            f"{model}: another version went into Production while this one was judged; run `dvc repro` again"
        )
    stage = "Production" if config.policy == "production" or report.champion is None else "Staging"
    stage_transitions.promote(
        state,
        model,
        version.version,
        stage=stage,
        reason=f"policy: {config.policy}",
        expected_generation=served.generation,
    )
    return Submission(version, is_new, stage)


def _description(candidate: Package) -> str:
    return f"{candidate.manifest.model} on {candidate.manifest.name}"
