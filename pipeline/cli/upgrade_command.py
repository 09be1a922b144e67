"""`mlops upgrade`: bring a project to the installed engine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.shared_options import AsJson  # noqa: TC001 - typer reads it
from pipeline.files import canonical_json
from pipeline.project.stage_digests import DISTRIBUTION
from pipeline.text import pluralize

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.project_setup import ProjectUpgrade

__all__ = ["upgrade"]


def upgrade(
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would change, and change nothing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Upgrade this project to the installed engine: graph, digests, requirement, state database."""
    from pipeline.project_setup import apply_upgrade, plan_upgrade

    planned = plan_upgrade(Path())
    backup = None if dry_run or planned.is_empty else apply_upgrade(Path(), planned)
    if as_json:
        values = {**planned.as_dict(), "is_applied": not dry_run, "backup": None if backup is None else str(backup)}
        typer.echo(canonical_json(values), nl=False)
        return
    for line in _lines(planned, dry_run=dry_run, backup=backup):
        typer.echo(line)


def _lines(planned: ProjectUpgrade, *, dry_run: bool, backup: Path | None) -> Iterator[str]:
    if planned.is_empty:
        yield f"the project is on {DISTRIBUTION} {planned.after} already; nothing changed"
        yield "next: dvc repro"
        return
    yield f"{DISTRIBUTION} {planned.before} -> {planned.after}"
    yield from _section("defaults", [str(change) for change in planned.defaults])
    if planned.schema is not None and not planned.schema.is_current:
        backed_up = "" if backup is None else f"; backup: {backup}"
        yield f"state database: schema version {planned.schema.current} -> {planned.schema.head}{backed_up}"
    yield f"files: {', '.join(_short_names(list(planned.texts)))}" if planned.texts else "files: none"
    if planned.unpinned:
        yield f"requirements.txt: no line pins the engine; pin {DISTRIBUTION}=={planned.after} where you do"
    if not planned.has_run:
        yield "`dvc repro` runs every stage, because none has run yet"
    else:
        yield from _section("`dvc repro` runs", [f"{rerun.stage}: {rerun.reason}" for rerun in planned.reruns])
    if planned.config_problem is not None:
        yield "settings of this project that the engine refuses:"
        yield from (f"  {line}" for line in planned.config_problem.splitlines())
    yield _next_step(planned, dry_run=dry_run)


def _section(title: str, lines: list[str]) -> Iterator[str]:
    yield f"{title}: no changes" if title == "defaults" and not lines else f"{title}:" if lines else f"{title} no stage"
    yield from (f"  {line}" for line in lines)


def _short_names(names: list[str]) -> list[str]:
    """Return the names with the digests as one entry."""
    digests = [name for name in names if name.endswith(".digest")]
    others = [name for name in names if not name.endswith(".digest")]
    return others + ([pluralize(len(digests), "digest") + " in engine/"] if digests else [])


def _next_step(planned: ProjectUpgrade, *, dry_run: bool) -> str:
    if dry_run:
        return "nothing was changed; next: mlops upgrade"
    if planned.config_problem is not None:
        return "next: change these settings, then mlops config check"
    return "next: review with `git diff`, commit, then dvc repro"
