"""`mlops data check` in parts, and `mlops parts plan check`: validate files of rows as one table."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline.cli.part_options import (
    EngineOptions,
    OutputFolder,
    PartJobKind,
    PartRowsOption,
    SourceAddresses,
    store_part_plan,
)
from pipeline.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pipeline.config.root_config import Config
    from pipeline.engines import PartEngine
    from pipeline.parts import PartJob, PartPlan
    from pipeline.storage import StoragePath

__all__ = ["CHECK_PARTS", "DataOption", "check_in_parts", "compose_problem", "needs_parts"]

DataOption = Annotated[str | None, typer.Option("--data", help="A file of conf/data/; the default problem if omitted.")]


def compose_problem(data: str | None) -> Config:
    """Return the settings of a problem in conf/data/; those of the default problem when None."""
    from pipeline.config.composition import compose
    from pipeline.config.config_loader import build_config

    composition = compose([] if data is None else [f"data={data}"])
    return build_config(composition.values, where="conf", origin=composition.origin)


def needs_parts(addresses: Sequence[str]) -> bool:
    """Return whether an address is a folder, a pattern, or in an object store."""
    from pipeline.storage import StoragePath

    paths = [StoragePath.parse(address) for address in addresses]
    return any(not path.is_local or "*" in path.name or path.local.is_dir() for path in paths)


def check_in_parts(
    addresses: Sequence[str], config: Config, options: EngineOptions, *, output: str | None
) -> dict[str, Any]:
    """Return the result of a check of all rows as one table, with the lines to print.

    Parameters
    ----------
    addresses : sequence of str
        Files, folders or patterns.
    config : Config
    options : EngineOptions
    output : str or None
        Folder for the report and the files of the parts; a temporary one of this machine when None.

    Raises
    ------
    DataError
        When a file is missing, cannot be read, or changed since an earlier run into `output`, or there is no row.
    UsageError
        When the engine needs `output`.
    """
    from pipeline.engines import open_engine
    from pipeline.part_validation import ValidationJob
    from pipeline.parts import run_parts

    engine = options.load(Path(), default=config.engine)
    with _open_folder(output, engine.kind) as folder, open_engine(engine) as workers:
        plan = _plan(addresses, folder, config, engine=workers, part_rows=engine.part_rows)
        result = run_parts(ValidationJob(), plan, folder, workers)["result"]
    return _describe_result(", ".join(addresses), result, output)


def _plan(
    addresses: Sequence[str], folder: StoragePath, config: Config, *, engine: PartEngine, part_rows: int
) -> PartPlan:
    from pipeline.part_validation import plan_validation
    from pipeline.parts import require_outside
    from pipeline.storage import StoragePath

    sources = [StoragePath.parse(address) for address in addresses]
    require_outside(folder, sources)
    return plan_validation(sources, config, engine, part_rows=part_rows)


@contextmanager
def _open_folder(output: str | None, engine: str) -> Iterator[StoragePath]:
    import tempfile

    from pipeline.storage import StoragePath

    if output is not None:
        yield StoragePath.parse(output).absolute()
        return
    if engine != "local":
        raise UsageError(
            f"--engine {engine}: found no output folder; give one that all workers reach, such as -o s3://BUCKET/FOLDER"
        )
    with tempfile.TemporaryDirectory(prefix="mlops-check-") as folder:
        yield StoragePath.parse(folder)


def _describe_result(name: str, result: Mapping[str, Any], output: str | None) -> dict[str, Any]:
    from pipeline.data.input_problems import MAX_INPUT_PROBLEMS, InputProblem

    problems = [InputProblem(**problem) for problem in result["problems"]]
    notes = [
        *result["refusals"],
        *(f"warning: {line}" for line in result["warnings"]),
        *(f"not checked in parts: {line}" for line in result["not_checked"]),
    ]
    is_reported = result["report"] is not None
    if is_reported and output is not None:
        notes.append(f"the report is {output}/{result['report']}")
    return {
        "path": name,
        "ok": is_reported and not result["refusals"],
        "is_cut": len(problems) >= MAX_INPUT_PROBLEMS,
        "problems": list(result["problems"]),
        "refusals": list(result["refusals"]),
        "warnings": [f"warning: {line}" for line in result["warnings"]],
        "not_checked": list(result["not_checked"]),
        "lines": [*map(str, problems), *(f"{name}: {note}" for note in notes)],
    }


def _plan_check(
    sources: SourceAddresses, *, output: OutputFolder, data: DataOption = None, part_rows: PartRowsOption = None
) -> None:
    """Plan to validate files of rows as one table."""
    from pipeline.config.groups.engine_config import LocalEngineConfig
    from pipeline.engines import open_engine
    from pipeline.storage import StoragePath

    config = compose_problem(data)
    folder = StoragePath.parse(output).absolute()
    n_rows = EngineOptions(part_rows=part_rows).load(Path(), default=config.engine).part_rows
    with open_engine(LocalEngineConfig(kind="local", workers=1, retries=0, part_rows=n_rows)) as engine:
        plan = _plan(sources, folder, config, engine=engine, part_rows=n_rows)
    store_part_plan(plan, folder)


def _open_job() -> PartJob:
    from pipeline.part_validation import ValidationJob

    return ValidationJob()


def _result_lines(folder: StoragePath, manifest: Mapping[str, Any]) -> list[str]:
    result = _describe_result(str(folder), manifest["result"], str(folder))
    return [*result["lines"], f"{folder}: {'ok' if result['ok'] else 'invalid'}"]


CHECK_PARTS = PartJobKind(_plan_check, _open_job, _result_lines)
