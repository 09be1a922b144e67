"""Options of the commands that run a job in parts, and what each kind of job adds to `mlops parts`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from pipeline.config.groups.engine_config import PartEngineConfig
    from pipeline.parts import PartJob, PartPlan
    from pipeline.storage import StoragePath

__all__ = [
    "EngineOption",
    "EngineOptions",
    "OutputFolder",
    "PartJobKind",
    "PartRowsOption",
    "SourceAddresses",
    "WorkersOption",
    "store_part_plan",
]

SourceAddresses = Annotated[
    list[str],
    typer.Argument(metavar="IN...", help="CSV or Parquet: files, folders, patterns with *, also in an object store."),
]
OutputFolder = Annotated[str, typer.Option("--output", "-o", help="Folder of the parts, also in an object store.")]
EngineOption = Annotated[
    str | None,
    typer.Option("--engine", help="Where parts run: a name in conf/engine/, or a YAML file; engine in params.yaml."),
]
WorkersOption = Annotated[
    int | None, typer.Option("--workers", min=1, help="Parts that run at the same time; engine.workers by default.")
]
PartRowsOption = Annotated[
    int | None,
    typer.Option("--part-rows", min=1, help="Most rows of a part, at least a row group; engine.part_rows by default."),
]


@dataclass(frozen=True, slots=True)
class PartJobKind:
    """What a kind of job adds to `mlops parts`.

    Attributes
    ----------
    plan : callable
        The command that plans it.
    open_job : callable
        Returns the job as this machine runs it.
    result_lines : callable
        Returns the result in a committed folder as lines for a terminal.
    """

    plan: Callable[..., None]
    open_job: Callable[[], PartJob]
    result_lines: Callable[[StoragePath, Mapping[str, Any]], list[str]]


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """What a command line says of the engine; None where it says nothing."""

    name: str | None = None
    n_workers: int | None = None
    part_rows: int | None = None

    def load(self, root: Path, *, default: PartEngineConfig | None = None) -> PartEngineConfig:
        """Return the settings of the engine in conf/engine/ with what the options change.

        Parameters
        ----------
        root : Path
            Folder of the project.
        default : PartEngineConfig, optional
            Settings without a name; those of params.yaml when None.

        Raises
        ------
        ConfigError
            When there is no such engine.
        """
        from pipeline.config.config_loader import load_engine, load_params
        from pipeline.project import paths

        if self.name is not None:
            config = load_engine(self.name, conf=root / paths.CONF)
        else:
            config = load_params(root / paths.PARAMS).engine if default is None else default
        changes = {"workers": self.n_workers, "part_rows": self.part_rows}
        given = {key: value for key, value in changes.items() if value is not None}
        return type(config).model_validate({**config.model_dump(), **given})


def store_part_plan(plan: PartPlan, folder: StoragePath) -> None:
    """Write a plan to its output folder, and print the commands that run it."""
    from pipeline.parts import store_plan
    from pipeline.text import pluralize

    store_plan(plan, folder)
    typer.echo(f"{folder}: {pluralize(len(plan.parts), 'part')} of {pluralize(plan.n_rows, 'row')} planned")
    typer.echo(f"next: mlops parts run {folder} --index N for N from 0 to {len(plan.parts) - 1}, on any machine")
    typer.echo(f"then: mlops parts commit {folder}")
