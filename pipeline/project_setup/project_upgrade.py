"""Plan and apply the upgrade of a project to the installed engine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from packaging.version import Version

from pipeline import state as store
from pipeline.config.composition import compose
from pipeline.config.config_loader import build_config
from pipeline.config.default_settings import engine_defaults
from pipeline.errors import ConfigError, Conflict, IntegrityError, UsageError
from pipeline.files import exclusive_lock, write_text
from pipeline.project import paths
from pipeline.project.stage_digests import (
    DISTRIBUTION,
    code_digests,
    engine_version,
    read_digest,
    read_engine_record,
)
from pipeline.project_setup.default_changes import DefaultChange, default_changes
from pipeline.project_setup.project_files import REQUIREMENTS, engine_record_files, pin_engine
from pipeline.project_setup.project_graph import merge_graph
from pipeline.project_setup.stage_reruns import LOCK, StageRerun, stage_reruns

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.config.composition import Composition

__all__ = ["ProjectUpgrade", "apply_upgrade", "plan_upgrade"]


@dataclass(frozen=True, slots=True)
class ProjectUpgrade:
    """What an upgrade changes, computed from the files of a project and the installed engine.

    Attributes
    ----------
    before, after : str
        Version that the project records, and version of the installed engine.
    defaults : tuple of DefaultChange
    config_problem : str or None
        Why the settings of the project are not valid on the installed engine.
    reruns : tuple of StageRerun
        Stages that the next `dvc repro` runs because of the upgrade.
    has_run : bool
        Whether a stage has run before; otherwise `dvc repro` runs all.
    texts : dict of str
        New text of each file that changes, in the order in which they are written.
    unpinned : bool
        Whether requirements.txt has no line that pins the engine.
    schema : SchemaRevision or None
        Version of the state database and the one that the engine needs; None without a database.
    """

    before: str
    after: str
    defaults: tuple[DefaultChange, ...]
    config_problem: str | None
    reruns: tuple[StageRerun, ...]
    has_run: bool
    texts: dict[str, str]
    unpinned: bool
    schema: store.SchemaRevision | None

    @property
    def is_empty(self) -> bool:
        """Whether nothing changes."""
        return not self.texts and (self.schema is None or self.schema.is_current)

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON; the texts by their paths alone."""
        return {
            "before": self.before,
            "after": self.after,
            "defaults": [change.as_dict() for change in self.defaults],
            "config_problem": self.config_problem,
            "reruns": [rerun.as_dict() for rerun in self.reruns],
            "has_run": self.has_run,
            "files": list(self.texts),
            "schema": None if self.schema is None else {"current": self.schema.current, "head": self.schema.head},
        }


def plan_upgrade(root: Path) -> ProjectUpgrade:
    """Return what an upgrade of the project at `root` changes; nothing is written.

    Raises
    ------
    UsageError
        When the folder is no project that `mlops init` made.
    Conflict
        When the project was made with, or upgraded to, a newer engine, or its database was.
    ConfigError
        When dvc.yaml has edits that conflict with changes of the engine.
    IntegrityError
        When a file of the project is missing or damaged.
    """
    record = read_engine_record(root)
    if record is None:
        raise UsageError(
            f"{paths.ENGINE_RECORD}: not found, so this folder is no project on an installed engine;"
            " change into one, or run `mlops init FOLDER`"
        )
    _refuse_older(record["version"])
    graph = _current_text(root / paths.GRAPH)
    if graph is None:
        raise IntegrityError(f"{paths.GRAPH}: cannot be read; restore it with `git checkout HEAD -- {paths.GRAPH}`")
    merged = merge_graph(graph, record["graph"])
    composition, problem = _composed(root)
    candidates = {paths.GRAPH.as_posix(): merged, **_requirements(root), **engine_record_files()}
    return ProjectUpgrade(
        before=record["version"],
        after=engine_version(),
        defaults=default_changes(record["defaults"], engine_defaults(), composition),
        config_problem=problem,
        reruns=stage_reruns(root, merged, _changed_code(root), None if composition is None else composition.values),
        has_run=(root / LOCK).exists(),
        texts={path: text for path, text in candidates.items() if _current_text(root / path) != text},
        unpinned=not _requirements(root),
        schema=_schema(root),
    )


def _refuse_older(recorded: str) -> None:
    installed = engine_version()
    if Version(installed) < Version(recorded):
        raise Conflict(
            f"the installed engine {installed} is older than the project's {recorded}; nothing was changed. Install"
            f" {DISTRIBUTION}=={recorded} or a later one"
        )


def _composed(root: Path) -> tuple[Composition | None, str | None]:
    """Return the project's settings on the installed engine, and why they are not valid."""
    try:
        composition = compose(conf=root / paths.CONF)
    except ConfigError as error:
        return None, str(error)
    try:
        build_config(composition.values, where=f"{paths.CONF}/config.yaml", origin=composition.origin)
    except ConfigError as error:
        return composition, str(error)
    return composition, None


def _requirements(root: Path) -> dict[str, str]:
    text = _current_text(root / REQUIREMENTS)
    pinned = None if text is None else pin_engine(text)
    return {} if pinned is None else {REQUIREMENTS.as_posix(): pinned}


def _changed_code(root: Path) -> set[str]:
    return {stage for stage, digest in code_digests().items() if read_digest(root, stage) != digest}


def _current_text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return None


def _schema(root: Path) -> store.SchemaRevision | None:
    if not store.state_exists(root):
        return None
    state = store.connect_to_project(root)
    try:
        revision = store.schema_revision(state)
    finally:
        state.close()
    if revision.is_newer:
        raise Conflict(
            f"{state.address}: the schema version is {revision.current}, newer than {revision.head}, the newest of the"
            " installed engine; nothing was changed. Install a later engine"
        )
    return revision


def apply_upgrade(root: Path, upgrade: ProjectUpgrade) -> Path | None:
    """Migrate the state database after a backup, then write the files; return the backup, if there is one.

    The record of the engine is written last. So after an interruption a second call plans and does the rest.

    Raises
    ------
    Conflict
        When a stage runs in the project.
    DependencyUnavailable
        When the backup or the migration fails; nothing is changed then.
    """
    with exclusive_lock(root / paths.PROJECT_LOCK, operation="upgrade"):
        backup = None
        if upgrade.schema is not None and not upgrade.schema.is_current:
            state = store.connect_to_project(root)
            try:
                backup = store.upgrade_schema(state, root / paths.STATE_BACKUPS)
            finally:
                state.close()
        for path, text in upgrade.texts.items():
            write_text(root / path, text)
    return backup
