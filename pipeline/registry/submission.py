"""Evaluate the gates of a candidate, register it, and promote it as the policy allows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipeline import state as store
from pipeline.errors import Conflict, NotAllowed
from pipeline.gates import GateInputs, GateReport, evaluate_gates
from pipeline.registry import stage_transitions

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pipeline.config.groups.promotion_config import PromotionConfig
    from pipeline.package import Package
    from pipeline.package.package_store import PackageStore
    from pipeline.state import ModelVersion, State

__all__ = ["Submission", "evaluate_candidate", "submit_candidate"]


@dataclass(frozen=True, slots=True)
class Submission:
    """The registered version of a candidate, and the stage that the policy promoted it to (None when it did not).

    `reason` is why the stage is another than the policy's.
    """

    version: ModelVersion
    is_new: bool
    stage: str | None
    reason: str = ""

    @property
    def outcome(self) -> str:
        """What happened to the version, in words that follow its name."""
        where = f"promoted to {self.stage}" if self.stage is not None else f"is in stage {self.version.stage}"
        where += f" ({self.reason})" if self.reason else ""
        return where if self.is_new else f"{where}, already registered"

    def __str__(self) -> str:
        return f"{self.version.model} version {self.version.version} ({self.version.semver}) {self.outcome}"


def evaluate_candidate(
    state: State,
    packages: PackageStore,
    model: str,
    *,
    candidate: Package,
    inputs: GateInputs,
    config: PromotionConfig,
) -> GateReport:
    """Evaluate the gates of a candidate against the current Production version."""
    with state.reading() as connection:
        digest = store.current_deployment(connection, model).digests.get("Production")
    champion = None if digest is None else packages.load(digest)
    return evaluate_gates(candidate, inputs, config, champion=champion)


def submit_candidate(
    state: State,
    packages: PackageStore,
    model: str,
    *,
    source: Path,
    report: GateReport,
    config: PromotionConfig,
    tags: Mapping[str, Any],
) -> Submission:
    """Register the package at `source`; promote one that passes by `config.policy`, the first ever to Production.

    A package that is already registered keeps its stage, so running the graph again changes no deployment. The first
    version goes to Staging where the database account may not change Production.

    Raises
    ------
    Conflict
        When another version was promoted to Production since the gates were evaluated.
    NotAllowed
        When the policy is production and the database account may not change Production; nothing was registered.
    """
    may_deploy = _may_deploy_to_production(state, config, model=model)
    candidate = packages.add(source)
    registration = stage_transitions.register_package(
        state,
        packages,
        model,
        candidate=candidate,
        tags=tags,
        gates=report.as_dict(),
        description=_description(candidate),
    )
    version, is_new = registration.version, registration.is_new
    if not is_new or config.policy == "manual" or report.verdict != "promote":
        return Submission(version, is_new=is_new, stage=None)
    with state.reading() as connection:
        deployment = store.current_deployment(connection, model)
    if deployment.digests.get("Production") != report.champion:
        raise Conflict(f"{model}: another version was promoted to Production meanwhile; run `dvc repro` again")
    is_for_production = config.policy == "production" or (report.champion is None and may_deploy)
    stage = "Production" if is_for_production else "Staging"
    stage_transitions.promote_version(
        state,
        model,
        version.version,
        stage=stage,
        reason=f"policy: {config.policy}",
        expected_generation=deployment.generation,
    )
    reason = "" if may_deploy or report.champion is not None else _lacks_right(state)
    return Submission(version, is_new=is_new, stage=stage, reason=reason)


def _may_deploy_to_production(state: State, config: PromotionConfig, *, model: str) -> bool:
    """Whether the database account may change Production; refuse a policy that needs it to."""
    if state.is_file:
        return True
    with state.writing() as connection:
        may_deploy = store.may_change_stage(connection, "Production")
    if config.policy == "production" and not may_deploy:
        raise NotAllowed(
            f"{model}: promotion.policy is production, and {_lacks_right(state)}; nothing was registered. Set"
            " promotion.policy=staging, and promote with an account that may, such as mlops_decider:"
            " `mlops promote VERSION`"
        )
    return may_deploy


def _lacks_right(state: State) -> str:
    return f"the database account {state.engine.url.username} may not change Production"


def _description(candidate: Package) -> str:
    return f"{candidate.manifest.model} on {candidate.manifest.name}"
