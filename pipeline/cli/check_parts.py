"""`mlops data check` of folders, patterns and objects: validation in parts."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from pipeline.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pipeline.config.groups.engine_config import PartEngineConfig
    from pipeline.config.root_config import Config
    from pipeline.storage import StoragePath

__all__ = ["check_in_parts", "needs_parts"]


def needs_parts(addresses: Sequence[str]) -> bool:
    """Return whether an address is a folder, a pattern, or in an object store."""
    from pipeline.storage import StoragePath

    paths = [StoragePath.parse(address) for address in addresses]
    return any(not path.is_local or "*" in path.name or path.local.is_dir() for path in paths)


def check_in_parts(
    addresses: Sequence[str], config: Config, engine: PartEngineConfig, *, output: str | None
) -> dict[str, Any]:
    """Return the result of a check of all rows as one table, with the lines to print.

    Parameters
    ----------
    addresses : sequence of str
        Files, folders or patterns.
    config : Config
    engine : PartEngineConfig
    output : str or None
        Folder for the report and the files of the parts; a temporary one of this machine when None.

    Raises
    ------
    DataError
        When a file is missing, cannot be read, or changed since an earlier run into `output`.
    UsageError
        When the engine needs `output`, or there is no row.
    """
    from pipeline.engines import open_engine
    from pipeline.part_validation import ValidationJob, plan_validation
    from pipeline.parts import run_parts
    from pipeline.storage import StoragePath

    sources = [StoragePath.parse(address) for address in addresses]
    with _open_folder(output, engine.kind) as folder, open_engine(engine) as workers:
        plan = plan_validation(sources, config, workers, part_rows=engine.part_rows)
        result = run_parts(ValidationJob(), plan, folder, workers)["result"]
    return _describe_result(", ".join(addresses), result, output)


@contextmanager
def _open_folder(output: str | None, engine: str) -> Iterator[StoragePath]:
    import tempfile

    from pipeline.storage import StoragePath

    if output is not None:
        yield StoragePath.parse(output)
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
