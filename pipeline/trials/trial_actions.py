"""Start and stop trials: each is one decision with an audit entry."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from pipeline import state as store
from pipeline.errors import Conflict, UsageError
from pipeline.trials.paired_losses import ModelPair, check_comparable

if TYPE_CHECKING:
    from pipeline.config.groups.lifecycle_config import LifecycleConfig
    from pipeline.package import Package, PackageStore
    from pipeline.state import Deployment, ModelVersion, State, Trial, TrialMethod, TrialPurpose

__all__ = ["TrialRequest", "fresh_from", "start_trial", "stop_trial"]


@dataclass(frozen=True, slots=True)
class TrialRequest:
    """What a trial is asked for.

    Attributes
    ----------
    model : str
    challenger : int
        A registered version.
    actor : str
        Who opens it.
    reason : str
    method : "replay", "live", "split", or None
        None for that of the settings.
    share : float or None
        Share of the requests that a challenger of method `split` gets; None for that of the first canary step.
    purpose : "promotion" or "watch"
    fresh_from : int or None
        Predictions before this moment do not count; None for the moment up to which the models may have learned.
    """

    model: str
    challenger: int
    actor: str
    reason: str = ""
    method: TrialMethod | None = None
    share: float | None = None
    purpose: TrialPurpose = "promotion"
    fresh_from: int | None = None


def start_trial(state: State, packages: PackageStore, config: LifecycleConfig, request: TrialRequest) -> Trial:
    """Open a trial of a version against the one in Production.

    Raises
    ------
    ConfigError
        When the log does not store a column in full that the challenger needs.
    Conflict
        When the challenger has an open trial, or another decision came first.
    IntegrityError
        When a package is missing or damaged.
    UsageError
        When the version does not exist or is in Production, nothing is in Production, too many trials are open, or a
        share is given without `split`.
    """
    method = _method_of(request, config)
    with state.reading() as connection:
        deployment = store.current_deployment(connection, request.model)
        challenger = store.find_version(connection, request.model, request.challenger)
        champion = _require_champion(connection, deployment, challenger)
        _require_room(connection, request, config)
    pair = ModelPair(packages.load(champion.digest), packages.load(challenger.digest), is_live=method == "live")
    check_comparable(pair)
    at = state.clock()
    learned_until = max(fresh_from(champion, pair.champion), fresh_from(challenger, pair.challenger))
    trial = store.Trial(
        model=request.model,
        purpose=request.purpose,
        method=method,
        champion=champion.version,
        champion_digest=champion.digest,
        challenger=challenger.version,
        challenger_digest=challenger.digest,
        salt=secrets.token_hex(16),
        settings=config.model_dump(mode="json", include={"trial", "canary"}),
        fresh_from=learned_until if request.fresh_from is None else request.fresh_from,
        opened_at=at,
        opened_by=request.actor,
        step_at=at,
    )
    if method == "split":
        trial = _split(trial, _split_share(request, config))
    event = store.AuditEvent(request.actor, "open trial", at, request.reason)
    with state.writing() as connection:
        busy = store.traffic_trial(connection, request.model)
        if method == "split" and busy is not None:
            raise Conflict(
                f"{request.model}: trial {busy.seq} takes traffic, and one at a time does; stop it first:"
                f" `mlops trial stop {busy.seq} --reason ...`"
            )
        return store.add_trial(connection, trial, event, expected_generation=deployment.generation)


def _method_of(request: TrialRequest, config: LifecycleConfig) -> TrialMethod:
    method = request.method if request.method is not None else config.trial.method
    if request.share is not None and method != "split":
        raise UsageError(
            f"--share {request.share:g}: method {method} gives the challenger no requests; pass --method split"
        )
    return method


def _split(trial: Trial, share: float) -> Trial:
    """Return a trial whose challenger gets a share of the requests at once; earlier predictions do not count."""
    return replace(
        trial,
        state="split",
        step=1,
        share=share,
        settings={**trial.settings, "split_share": share},
        fresh_from=max(trial.fresh_from, trial.opened_at),
    )


def _split_share(request: TrialRequest, config: LifecycleConfig) -> float:
    steps = config.canary.steps
    share = request.share if request.share is not None else steps[0].share if steps else 0.0
    if not 0.0 < share < 1.0:
        raise UsageError(f"a split needs a share of the requests between 0 and 1, not {share:g}; pass `--share 0.1`")
    return share


def fresh_from(version: ModelVersion, package: Package) -> int:
    """Return the moment from which on a version cannot have learned from a prediction and its outcome.

    A package that was trained on a snapshot of the log names its last moment; others end with their registration.
    """
    until = package.lineage.get("source", {}).get("until")
    return int(until) if until is not None else version.registered_at


def _require_champion(connection: Any, deployment: Deployment, challenger: ModelVersion) -> ModelVersion:
    champion = deployment.version("Production")
    if champion is None:
        hint = store.deployment_hint(connection, challenger.model)
        raise UsageError(
            f"{challenger.model}: no version is in Production, so there is nothing to compare with; {hint}"
        )
    if champion == challenger.version:
        raise UsageError(
            f"{challenger.model}: version {champion} is in Production; expected another version, see"
            " `mlops models list`"
        )
    return store.find_version(connection, challenger.model, champion)


def _require_room(connection: Any, request: TrialRequest, config: LifecycleConfig) -> None:
    others = [
        trial for trial in store.read_trials(connection, request.model, is_open=True) if trial.purpose == "promotion"
    ]
    if request.purpose == "promotion" and len(others) >= config.trial.max_challengers:
        numbers = ", ".join(str(trial.seq) for trial in others)
        raise UsageError(
            f"{request.model}: {len(others)} trials are open ({numbers}), as many as `max_challengers` in"
            " conf/lifecycle/default.yaml allows; stop one: `mlops trial stop N --reason ...`"
        )


def stop_trial(state: State, seq: int, *, actor: str, reason: str) -> Trial:
    """End a trial without a verdict; servers drop the challenger at their next look, and the champion stays.

    Raises
    ------
    Conflict
        When the trial is decided already.
    UsageError
        When there is no such trial, or no reason is given.
    """
    if not reason.strip():
        raise UsageError(f"trial {seq}: stopping it needs a reason for the audit trail; add --reason")
    with state.writing() as connection:
        trial = store.find_trial(connection, seq)
        if not trial.is_open:
            raise Conflict(f"trial {seq} is already {trial.state}; check `mlops trial show {seq}`")
        at = state.clock()
        event = store.AuditEvent(actor, "trial aborted", at, reason)
        stopped = replace(trial, state="aborted", share=0.0, step_at=at, decided_at=at, proposal=None)
        return store.update_trial(connection, stopped, event)
