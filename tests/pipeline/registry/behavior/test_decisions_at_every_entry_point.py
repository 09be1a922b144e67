"""Which version serves, may be promoted or can be loaded: commands, library, engine and app report the same."""

from __future__ import annotations

import asyncio
import json
import shutil
from typing import TYPE_CHECKING, Any, TypeVar

import pandas as pd
import pytest

from app import queries
from pipeline import MLOpsPipeline, ModelRegistry
from pipeline.errors import MlopsError
from pipeline.gates import Gate, GateReport
from pipeline.package import PackageStore
from pipeline.project import paths
from pipeline.registry import stage_transitions
from pipeline.state import open_state
from tests.fixtures.registered_project import NAME, make_engine, make_rows, package_folder, promote
from tests.fixtures.toy_dataset import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pipeline.serving import Readiness
    from tests.fixtures.cli import CliRunner

T = TypeVar("T")

OTHER = "other_model"

pytestmark = pytest.mark.xdist_group("app")


@pytest.fixture
def folder(project: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The registered project with its settings and a file of rows; the tests run in it."""
    shutil.copy(ROOT / "params.yaml", project)
    pd.DataFrame(make_rows(3)).convert_dtypes().to_parquet(project / "rows.parquet", index=False)
    monkeypatch.chdir(project)
    # No server listens on port 1: decisions wait to be mirrored, and no MLflow database is created.
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:1")
    return project


@pytest.fixture
def run(folder: Path, run_cli: CliRunner) -> Callable[..., Any]:
    """Run a command in the project and return what it prints as JSON; an error is raised with its message."""

    def command(*words: str) -> Any:
        result = run_cli(*words, "--json", cwd=folder)
        if result.exit_code:
            raise MlopsError(result.err.removeprefix("mlops: ").strip())
        return json.loads(result.out)

    return command


def ask_engine(root: Path) -> tuple[dict[str, Any], Readiness]:
    """Return the status of a started engine, and whether it is ready."""

    async def ask() -> tuple[dict[str, Any], Readiness]:
        engine = make_engine(root)
        await engine.start()
        try:
            return engine.status(), engine.ready()
        finally:
            await engine.close()

    return asyncio.run(ask())


def digest_of(root: Path, version: int) -> str:
    return package_folder(root, version).name


def serving_digests(root: Path, run: Callable[..., Any]) -> dict[str, str | None]:
    """Return the package in Production by entry point; None where it reports that there is none."""
    by_stage = {entry["stage"]: entry["version"] for entry in run("models", "list")}
    numbers = {
        "mlops models list": by_stage.get("Production"),
        "app": queries.current_deployment(NAME).version("Production"),
        "engine": active["version"] if (active := ask_engine(root)[0]["active"]) is not None else None,
    }
    return {
        **{entry_point: None if number is None else digest_of(root, number) for entry_point, number in numbers.items()},
        "mlops predict": _or_none(lambda: run("predict", "rows.parquet", "-o", "out.csv")["digest"]),
        "registry": _or_none(lambda: ModelRegistry().load_model(NAME, stage="Production").digest),
    }


def _or_none(ask: Callable[[], T]) -> T | None:
    try:
        return ask()
    except MlopsError as error:
        if "is in Production" in str(error):
            return None
        raise


@pytest.mark.parametrize(("version", "stage"), [(1, "Production"), (2, "Production"), (2, "Staging"), (1, "Archived")])
def test_every_entry_point_names_the_version_in_production(
    folder: Path, run: Callable[..., Any], version: int, stage: str
) -> None:
    promote(folder, version, stage)
    digests = serving_digests(folder, run)
    assert len(set(digests.values())) == 1, digests


def refusals(entry_points: dict[str, Callable[[], object]]) -> dict[str, str]:
    """Return the message with which each entry point refuses."""
    messages = {}
    for entry_point, ask in entry_points.items():
        with pytest.raises(MlopsError) as refused:
            ask()
        messages[entry_point] = str(refused.value)
    return messages


def test_every_entry_point_refuses_to_promote_a_version_whose_gates_failed(
    folder: Path, run: Callable[..., Any]
) -> None:
    failed = GateReport("0" * 64, None, (Gate("limit ece", "fail", "0.2 of at most 0.015"),)).as_dict()
    state, package_store = open_state(folder), PackageStore(folder / paths.PACKAGES)
    candidate = package_store.load(digest_of(folder, 2))
    stage_transitions.register_package(
        state, package_store, OTHER, candidate=candidate, tags={}, gates=failed, description=""
    )
    state.close()
    messages = refusals(
        {
            "mlops promote": lambda: run("promote", "1", "--model", OTHER),
            "registry": lambda: ModelRegistry().promote_model(OTHER, 1, "Production"),
            "notebook": lambda: MLOpsPipeline("entry_points", OTHER).promote_model("1"),
            "app": lambda: queries.registry().promote_model(OTHER, 1, "Production"),
        }
    )
    # The terminal adds the command.
    reasons = {message.partition(": `mlops promote")[0] for message in messages.values()}
    assert len(reasons) == 1, messages


@pytest.mark.parametrize("damage", ["a changed file", "a missing file", "no folder"])
def test_every_entry_point_refuses_a_damaged_package(folder: Path, run: Callable[..., Any], damage: str) -> None:
    package = package_folder(folder, 1)
    for path in (package, *package.rglob("*")):
        path.chmod(0o700)
    if damage == "no folder":
        shutil.rmtree(package)
    elif damage == "a missing file":
        (package / "encoder.json").unlink()
    else:
        (package / "encoder.json").write_text("{}", encoding="utf-8")
    messages = refusals(
        {
            "mlops predict": lambda: run("predict", "rows.parquet", "-o", "out.csv"),
            "registry": lambda: ModelRegistry().load_model(NAME, stage="Production"),
            "app": lambda: queries.load_package(package.name),
            "store": lambda: PackageStore(folder / paths.PACKAGES).load(package.name),
        }
    )
    assert len(set(messages.values())) == 1, messages
    ready = ask_engine(folder)[1]
    assert not ready.is_ready
    assert messages["store"] in ready.detail
