"""Look at the triggers, the new labels and the guards of a model, and ask for a retrain."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipeline import state as store
from pipeline.errors import GateRefused, UsageError
from pipeline.files import canonical_json, sha256
from pipeline.package.package_store import PackageStore
from pipeline.project import paths
from pipeline.retraining.label_guards import GuardResult, evaluate_guards, labels_by_caller
from pipeline.retraining.labeled_snapshot import require_logged_features
from pipeline.retraining.new_labels import NewLabels, read_new_labels
from pipeline.retraining.retrain_triggers import RetrainInputs, TriggerVerdict, evaluate_triggers
from pipeline.retraining.retrain_worktree import require_clean_settings

if TYPE_CHECKING:
    from pipeline.package import Package
    from pipeline.retraining.label_guards import CallerLabels
    from pipeline.state import LoopContext, ModelVersion, Retrain

__all__ = ["RetrainOutlook", "ask_for_retrain", "champion_of", "look_ahead", "packages_of"]


@dataclass(frozen=True, slots=True)
class RetrainOutlook:
    """What a retrain would rest on now; nothing was changed to find out."""

    champion: ModelVersion | None
    inputs: RetrainInputs
    trigger: TriggerVerdict
    labels: NewLabels | None
    callers: tuple[CallerLabels, ...]
    guards: tuple[GuardResult, ...]

    @property
    def holding(self) -> tuple[GuardResult, ...]:
        """The guards that hold the retrain."""
        return tuple(guard for guard in self.guards if guard.result == "hold")

    def as_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "champion": None if self.champion is None else self.champion.version,
            "cause": self.trigger.cause,
            "reason": self.trigger.reason,
            "next_at": self.trigger.next_at,
            "degraded": list(self.inputs.degraded),
            "drifted": list(self.inputs.drifted),
            "n_new_labels": self.inputs.n_new_labels,
            "callers": [caller.as_dict() for caller in self.callers],
            "guards": [guard.as_dict() for guard in self.guards],
        }


def packages_of(context: LoopContext) -> PackageStore:
    """Return the packages of the project."""
    return PackageStore(context.root / paths.PACKAGES)


def champion_of(context: LoopContext) -> tuple[ModelVersion, Package] | None:
    """Return the version in Production and its package; None without one."""
    with context.state.reading() as connection:
        number = store.current_deployment(connection, context.model).version("Production")
        version = None if number is None else store.find_version(connection, context.model, number)
    return None if version is None else (version, packages_of(context).load(version.digest))


def look_ahead(context: LoopContext) -> RetrainOutlook:
    """Read triggers, labels and guards.

    Raises
    ------
    ConfigError
        When the log does not store a feature in full that a retrain would learn from.
    """
    settings = context.config.lifecycle
    champion = champion_of(context)
    with context.state.reading() as connection:
        run = store.last_monitor_run(connection, context.model)
        retrains = store.read_retrains(connection, context.model)
    labels, evidence = None, None
    if champion is not None:
        schema = champion[1].schema
        require_logged_features(schema)
        skipped = settings.retrain.labels.skip_callers
        labels = read_new_labels(context.state, schema, model=context.model, retrains=retrains, skip_callers=skipped)
        evidence = labels.evidence(champion[1])
    summary = run.summary if run is not None and champion is not None and run.version == champion[0].version else {}
    inputs = RetrainInputs(
        now=context.now,
        champion_at=None if champion is None else champion[0].registered_at,
        degraded=[name for name, metric in summary.get("metrics", {}).items() if metric["verdict"] == "degraded"],
        drifted=[column["column"] for column in summary.get("columns", ()) if column["verdict"] == "drift"],
        n_new_labels=0 if labels is None else labels.n_labels,
        retrains=retrains,
    )
    return RetrainOutlook(
        champion=None if champion is None else champion[0],
        inputs=inputs,
        trigger=evaluate_triggers(inputs, settings),
        labels=labels,
        callers=() if evidence is None else tuple(labels_by_caller(evidence)),
        guards=() if evidence is None else tuple(evaluate_guards(evidence, settings.retrain.labels)),
    )


def ask_for_retrain(
    context: LoopContext, outlook: RetrainOutlook, *, cause: str, reason: str, runs_elsewhere: bool = False
) -> Retrain:
    """Store the request for a retrain in state `asked`; `runs_elsewhere` where another folder is the git checkout.

    Raises
    ------
    Conflict
        When conf/ has uncommitted changes, or another retrain of the model is open.
    GateRefused
        When a guard holds, naming the caller.
    UsageError
        When no version is in Production.
    """
    if outlook.champion is None:
        raise UsageError(
            f"{context.model}: no version is in Production, so there is no champion to compare with;"
            " promote one: `mlops promote VERSION`"
        )
    if outlook.holding:
        raise GateRefused("; ".join(f"{guard.name}: {guard.reason}" for guard in outlook.holding))
    if not runs_elsewhere:
        require_clean_settings(context.root)
    settings = context.config.lifecycle.retrain.model_dump(mode="json")
    facts = {
        **outlook.as_dict(),
        "reason": reason,
        "champion_digest": outlook.champion.digest,
        "settings_sha256": sha256(canonical_json(settings).encode()),
    }
    at = context.state.clock()
    retrain = store.Retrain(context.model, cause, at, context.actor, at, facts, n_labels=outlook.inputs.n_new_labels)
    with context.state.writing() as connection:
        return store.add_retrain(connection, retrain, reason=reason)
