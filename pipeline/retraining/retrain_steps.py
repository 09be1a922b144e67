"""Carry a retrain from state to state; each state is committed before the next step begins, so a kill resumes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline import files
from pipeline import state as store
from pipeline.errors import Conflict, DataError, GateRefused, MlopsError
from pipeline.gates import GateReport
from pipeline.package.manifest import MANIFEST_FILE
from pipeline.project import paths
from pipeline.project.git_command import run_git
from pipeline.registry.lineage import trace_lineage
from pipeline.retraining.candidate_evaluation import evaluate_retrained, register_retrained
from pipeline.retraining.graph_run import GraphBudget
from pipeline.retraining.label_guards import evaluate_guards
from pipeline.retraining.labeled_declaration import declare_snapshot
from pipeline.retraining.labeled_snapshot import LabeledSnapshot, write_snapshot
from pipeline.retraining.new_labels import read_new_labels
from pipeline.retraining.retrain_report import retrain_page, retrain_subject
from pipeline.retraining.retrain_request import champion_of, packages_of
from pipeline.retraining.retrain_worktree import (
    RetrainWorktree,
    branch_name,
    require_clean_settings,
    require_disk_space,
    require_free_branch,
)
from pipeline.retraining.settings_search import run_searched_graph, searched_files
from pipeline.state.label_quality import count_labeled_rows
from pipeline.text import iso_timestamp
from pipeline.trials import TrialRequest, start_trial

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipeline.config.groups.lifecycle_config import RetrainConfig
    from pipeline.package import Package
    from pipeline.retraining.new_labels import NewLabels
    from pipeline.state import LoopContext, ModelVersion, Retrain

__all__ = ["approve_retrain", "discard_retrain", "run_retrain", "run_step"]


@dataclass(frozen=True, slots=True)
class _BaseCommit:
    """The commit that a retrain starts from; `note` is why it is not the one that trained the champion."""

    sha: str
    note: str = ""


def run_retrain(context: LoopContext, retrain: Retrain) -> Retrain:
    """Run the steps that are left, up to a state that waits for a person or is the end.

    An error that another look cannot cure ends the retrain as `failed`, and its worktree is removed.

    Raises
    ------
    Conflict
        When another process or a person came first, or the run was asked to stop; the state stays as it was.
    """
    while retrain.state in _STEPS:
        if context.should_stop():
            raise Conflict(
                f"retrain {retrain.seq}: stopped in state {retrain.state}; the next run of the loop continues it"
            )
        retrain = run_step(context, retrain)
    return retrain


def run_step(context: LoopContext, retrain: Retrain) -> Retrain:
    """Run the step that follows a state, and commit the next state."""
    try:
        _require_same_champion(context, retrain)
        return _STEPS[retrain.state](context, retrain)
    except Conflict:
        raise
    except GateRefused as error:
        return _end(context, retrain, state="refused", error=str(error))
    except MlopsError as error:
        return _end(context, retrain, state="failed", error=str(error))


def approve_retrain(context: LoopContext, retrain: Retrain) -> Retrain:
    """Let a retrain go on that waits for a person: the next step trains a request, or puts a candidate on trial.

    Only the state changes: the account that a person decides with may register no version.

    Raises
    ------
    Conflict
        When it waits for no person, or another process changed it meanwhile.
    """
    decided = replace(retrain, decided_by=context.actor)
    if retrain.state == "asked":
        return _commit(context, retrain, decided, state="approved")
    if retrain.state == "needs_decision":
        facts = {**retrain.facts, "candidate_approved_by": context.actor}
        return _commit(context, retrain, replace(decided, facts=facts), state="committed")
    raise Conflict(f"retrain {retrain.seq} is in state {retrain.state}; expected asked or needs_decision")


def discard_retrain(context: LoopContext, retrain: Retrain, *, reason: str) -> Retrain:
    """End an open retrain without a trial; its branch is deleted after 30 days.

    Raises
    ------
    Conflict
        When it is at its end, or another process trains it.
    """
    if not retrain.is_open:
        raise Conflict(f"retrain {retrain.seq} is at its end ({retrain.state}); nothing to discard")
    RetrainWorktree(context.root, retrain.seq).require_idle()
    return _end(context, replace(retrain, decided_by=context.actor), state="discarded", error=reason)


def _take_snapshot(context: LoopContext, retrain: Retrain) -> Retrain:
    """Write the labeled rows into a worktree of the commit that trained the champion."""
    require_clean_settings(context.root)
    if context.config.lifecycle.retrain.git == "branch":
        require_free_branch(context.root, branch_name(context.model, retrain.seq))
    version, champion = _champion(context)
    with context.state.reading() as connection:
        earlier = [other for other in store.read_retrains(connection, context.model) if other.seq != retrain.seq]
    settings = context.config.lifecycle.retrain
    skipped = settings.labels.skip_callers
    labels = read_new_labels(
        context.state, champion.schema, model=context.model, retrains=earlier, skip_callers=skipped
    )
    _require_sound_labels(labels, champion, settings)
    bounded = replace(
        retrain,
        n_labels=labels.n_labels,
        until_prediction=labels.last_learned(settings.gate.fresh_share),
        until_outcome=labels.wanted.until_outcome,
    )
    _require_space(context, bounded, labels.mean_bytes)
    base = _base_commit(context.root, version, champion, folder=packages_of(context).path(version.digest))
    facts = {**retrain.facts, "base_commit": base.sha, "base_note": base.note}
    snapshot, data_file = _prepare_worktree(context, replace(bounded, facts=facts), champion)
    facts |= {"snapshot": snapshot.path, "settings_file": data_file, "n_rows_by_caller": snapshot.n_rows_by_caller}
    after = replace(bounded, facts=facts, snapshot_sha256=snapshot.sha256, n_rows=snapshot.n_rows)
    return _commit(context, retrain, after, state="snapshot")


def _train(context: LoopContext, retrain: Retrain) -> Retrain:
    """Run the graph in the worktree and evaluate the candidate on fresh labels."""
    worktree = RetrainWorktree(context.root, retrain.seq)
    _ensure_worktree(context, retrain, worktree)
    budget = GraphBudget(context.config.lifecycle.retrain.max_cpu_s, context.should_stop)
    cpu_s = run_searched_graph(worktree, budget, context.config.lifecycle.select)
    folder = worktree.folder
    evaluation = evaluate_retrained(context, retrain, folder=folder, snapshot=folder / retrain.facts["snapshot"])
    facts = {**retrain.facts, "evaluation": evaluation.as_dict()}
    after = replace(retrain, facts=facts, cpu_s=cpu_s)
    if evaluation.gates.verdict == "reject":
        unmet = [f"{gate.name} ({gate.reason})" for gate in evaluation.gates.unmet_gates if gate.result == "fail"]
        return _end(context, after, state="refused", error="; ".join(unmet))
    return _commit(context, retrain, after, state="trained")


def _commit_branch(context: LoopContext, retrain: Retrain) -> Retrain:
    """Commit pointer, settings, locks and report on a branch of its own; nothing is pushed or checked out."""
    worktree = RetrainWorktree(context.root, retrain.seq)
    name = branch_name(context.model, retrain.seq)
    if not worktree.has_file(str(paths.CANDIDATE_PACKAGE / MANIFEST_FILE)):
        _ensure_worktree(context, retrain, worktree)
        budget = GraphBudget(context.config.lifecycle.retrain.max_cpu_s, context.should_stop)
        run_searched_graph(worktree, budget, context.config.lifecycle.select)
    report = paths.RETRAIN_REPORTS / f"{retrain.seq}.md"
    text = retrain_page(retrain, context.config.lifecycle)
    files.write_text(worktree.folder / report, text)
    snapshot = retrain.facts["snapshot"]
    changed = [
        f"{snapshot}.dvc",
        snapshot.removesuffix(".parquet") + ".json",
        str(Path(snapshot).parent / ".gitignore"),
        retrain.facts["settings_file"],
        str(paths.PARAMS),
        "dvc.lock",
        str(report),
        *searched_files(worktree),
    ]
    after = retrain
    if context.config.lifecycle.retrain.git == "branch":
        sha = worktree.commit(
            changed, f"{retrain_subject(retrain)}\n\n{text}", author=context.actor, base=retrain.facts["base_commit"]
        )
        worktree.set_branch(name, sha)
        after = replace(retrain, branch=name, commit_sha=sha)
    else:
        worktree.write_patch(changed)
    committed = _commit(context, retrain, after, state="committed")
    worktree.remove()
    return committed


def _go_on(context: LoopContext, retrain: Retrain) -> Retrain:
    """Open the trial of a candidate that passed, or that a person approved; the others wait for a person."""
    RetrainWorktree(context.root, retrain.seq).remove()
    gates = GateReport.from_dict(retrain.facts["evaluation"]["gates"])
    if gates.verdict != "promote" and "candidate_approved_by" not in retrain.facts:
        reason = "; ".join(f"{gate.name} ({gate.reason})" for gate in gates.unmet_gates)
        return _commit(context, retrain, retrain, state="needs_decision", reason=reason)
    return _open_trial(context, retrain)


def _open_trial(context: LoopContext, retrain: Retrain) -> Retrain:
    version = register_retrained(context, retrain)
    request = TrialRequest(context.model, version.version, context.actor, f"retrain {retrain.seq}: {retrain.cause}")
    with context.state.reading() as connection:
        trials = store.read_trials(connection, context.model)
    opened = next((trial for trial in trials if trial.challenger == version.version), None)
    trial = opened or start_trial(context.state, packages_of(context), context.config.lifecycle, request)
    after = replace(retrain, version=version.version, trial=trial.seq)
    return _commit(context, retrain, after, state="on_trial")


_STEPS: dict[str, Callable[[LoopContext, Retrain], Retrain]] = {
    "approved": _take_snapshot,
    "snapshot": _train,
    "trained": _commit_branch,
    "committed": _go_on,
}


def _champion(context: LoopContext) -> tuple[ModelVersion, Package]:
    champion = champion_of(context)
    if champion is None:
        raise DataError(f"{context.model}: no version is in Production any more")
    return champion


def _require_same_champion(context: LoopContext, retrain: Retrain) -> None:
    """Fail a retrain whose champion a person replaced meanwhile: its comparison is with another model."""
    with context.state.reading() as connection:
        digest = store.current_deployment(connection, context.model).digests.get("Production")
    if digest != retrain.facts["champion_digest"]:
        raise DataError(
            f"version {retrain.facts['champion']} is no longer in Production; the next retrain compares with its"
            " successor"
        )


def _require_sound_labels(labels: NewLabels, champion: Package, settings: RetrainConfig) -> None:
    """Evaluate the guards again: labels arrive while a request waits for a person."""
    guards = evaluate_guards(labels.evidence(champion), settings.labels)
    if holding := [f"{guard.name}: {guard.reason}" for guard in guards if guard.result == "hold"]:
        raise GateRefused("; ".join(holding))


def _base_commit(root: Path, version: ModelVersion, champion: Package, *, folder: Path) -> _BaseCommit:
    lineage = trace_lineage(root, version, champion, folder=folder)
    if lineage.commit is not None:
        return _BaseCommit(lineage.commit)
    if lineage.head_commit is not None and lineage.has_edits is False:
        return _BaseCommit(lineage.head_commit, "the commit at its training; no dvc.lock names the package")
    head = run_git(root, "rev-parse", "HEAD")
    if head is None:
        raise DataError(f"{root}: the git repository has no commit; commit the project, then retrain")
    note = f"HEAD, because no commit has a dvc.lock that names the package of version {version.version}"
    return _BaseCommit(head, note)


def _prepare_worktree(context: LoopContext, retrain: Retrain, champion: Package) -> tuple[LabeledSnapshot, str]:
    """Check out the base commit, write the snapshot there, and declare it as the source."""
    settings = context.config.lifecycle.retrain
    worktree = RetrainWorktree(context.root, retrain.seq)
    worktree.create(retrain.facts["base_commit"])
    wanted = store.LabeledRows(
        model=context.model,
        until_prediction=retrain.until_prediction or 0,
        until_outcome=retrain.until_outcome or 0,
        skip_callers=tuple(settings.labels.skip_callers),
    )
    snapshot = write_snapshot(context.state, champion.schema, wanted, root=worktree.folder, number=retrain.seq)
    worktree.dvc("add", "--quiet", snapshot.path)
    data_file = declare_snapshot(
        worktree.folder,
        snapshot.path,
        half_life_days=settings.half_life_days,
        history_at=_history_at(context, retrain, snapshot) if settings.include_source else None,
    )
    return snapshot, str(data_file)


def _history_at(context: LoopContext, retrain: Retrain, snapshot: LabeledSnapshot) -> str:
    """Return the moment of the rows of before: the registration of the champion, or the first labeled row."""
    with context.state.reading() as connection:
        champion = store.find_version(connection, context.model, retrain.facts["champion"])
    at = min(champion.registered_at, snapshot.first_at)
    return iso_timestamp(at).removesuffix("Z")


def _ensure_worktree(context: LoopContext, retrain: Retrain, worktree: RetrainWorktree) -> None:
    """Make the worktree anew where it is gone or incomplete; its snapshot must be the stored one."""
    worktree.require_idle()
    if worktree.has_file(retrain.facts["snapshot"], sha256=retrain.snapshot_sha256 or ""):
        return
    champion = packages_of(context).load(retrain.facts["champion_digest"])
    snapshot, _ = _prepare_worktree(context, retrain, champion)
    if snapshot.sha256 != retrain.snapshot_sha256:
        raise DataError(
            f"the labeled rows of retrain {retrain.seq} changed since its snapshot, as erasing rows does; ask for a"
            " new retrain"
        )


def _require_space(context: LoopContext, retrain: Retrain, mean_bytes: float) -> None:
    wanted = store.LabeledRows(
        model=context.model,
        until_prediction=retrain.until_prediction or 0,
        until_outcome=retrain.until_outcome or 0,
    )
    with context.state.reading() as connection:
        n_rows = count_labeled_rows(connection, wanted)
    require_disk_space(context.root, round(2 * n_rows * mean_bytes))


def _commit(context: LoopContext, before: Retrain, after: Retrain, *, state: Any, reason: str = "") -> Retrain:
    stored = replace(after, state=state, changed_at=context.state.clock())
    with context.state.writing() as connection:
        return store.update_retrain(connection, before, stored, actor=context.actor, reason=reason)


def _end(context: LoopContext, retrain: Retrain, *, state: Any, error: str) -> Retrain:
    ended = _commit(context, retrain, replace(retrain, error=error), state=state, reason=error)
    RetrainWorktree(context.root, retrain.seq).remove()
    return ended
