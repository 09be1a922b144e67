"""A running engine follows promotions, and a damaged package never replaces the active model."""

from __future__ import annotations

import asyncio
import json
import shutil
from typing import TYPE_CHECKING, Any

import pytest

from pipeline.serving import NotReady
from tests.fixtures.proof import is_long, proof_rounds
from tests.fixtures.registered_project import (
    engine_settings,
    event_kinds,
    make_engine,
    make_rows,
    package_folder,
    promote,
    row_body,
    wait_until,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pipeline.serving import Engine

pytestmark = pytest.mark.usefixtures("heavy_computation")

N_SWAPS = proof_rounds(2, long=40)


def _truncate_file(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _flip_byte(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


OTHER_LISTED_FILES = ("model.skops", "golden.json", "encoder.json", "schema.yaml", "decision.json")
# Ways to damage the folder of a package.
DAMAGES: dict[str, Callable[[Path], object]] = {
    "missing folder": shutil.rmtree,
    "empty folder": lambda folder: [path.unlink() for path in folder.iterdir()],
    "no manifest": lambda folder: (folder / "manifest.json").unlink(),
    "truncated manifest": lambda folder: _truncate_file(folder / "manifest.json"),
    "changed manifest": lambda folder: _flip_byte(folder / "manifest.json"),
    "an extra file": lambda folder: (folder / "more.bin").write_bytes(b"1"),
    **{
        f"{name} {how}": (lambda folder, name=name, damage=damage: damage(folder / name))
        for name in ("model.onnx", *OTHER_LISTED_FILES)
        for how, damage in (("cut", _truncate_file), ("changed", _flip_byte))
    },
}


def active_version(engine: Engine) -> int | None:
    return None if engine.loaded_model is None else engine.loaded_model.version


def test_a_promotion_is_active_within_two_seconds_and_each_prediction_comes_from_one_version(project_on: Path) -> None:
    row = make_rows(1)[0]
    predictions: list[dict[str, Any]] = []

    async def predict(engine: Engine, is_done: asyncio.Event) -> None:
        while not is_done.is_set():
            predictions.append(json.loads(await engine.predict_row(row_body(row))))

    async def run() -> None:
        engine = make_engine(project_on, engine=engine_settings(poll_interval_s=1.0))
        await engine.start()
        is_done = asyncio.Event()
        clients = [asyncio.create_task(predict(engine, is_done)) for _ in range(4)]
        for swap in range(N_SWAPS):
            version = 2 - swap % 2
            await asyncio.to_thread(promote, project_on, version)
            await wait_until(lambda version=version: active_version(engine) == version, within_s=2.5)
            await asyncio.sleep(0.05)
        is_done.set()
        await asyncio.gather(*clients)
        assert engine.previous_model is not None
        await engine.close()

    asyncio.run(run())
    distinct = {(item["model_version"], item["model_digest"], item["confidence"]) for item in predictions}
    assert {version for version, _, _ in distinct} == {1, 2}
    assert len(distinct) == 2  # each version has one digest and one confidence


# Files that the manifest lists are refused alike, by their checksums.
@pytest.mark.parametrize("damage", [name for name in DAMAGES if is_long() or not name.startswith(OTHER_LISTED_FILES)])
def test_a_damaged_package_is_refused_and_the_previous_model_stays_active(project: Path, damage: str) -> None:
    DAMAGES[damage](package_folder(project, 2))

    async def run() -> None:
        engine = make_engine(project)
        await engine.start()
        await asyncio.to_thread(promote, project, 2)
        await engine.reload()
        assert (active_version(engine), engine.ready().is_ready) == (1, True)
        assert json.loads(await engine.predict_row(row_body(make_rows(1)[0])))["served_by"] == "production"
        assert event_kinds(engine.state) == ["activated", "refused"]
        await engine.close()
        restarted = make_engine(project)
        await restarted.start()
        prediction = json.loads(await restarted.predict_row(row_body(make_rows(1)[0])))
        assert (prediction["model_version"], prediction["served_by"]) == (1, "last_good")
        await restarted.close()

    asyncio.run(run())


def test_a_start_without_a_valid_package_is_not_ready_and_recovers(project: Path, tmp_path: Path) -> None:
    folder = package_folder(project, 1)
    aside = tmp_path / "aside"
    folder.rename(aside)

    async def run() -> None:
        engine = make_engine(project, engine=engine_settings(fallback_to_last_good=False))
        await engine.start()
        assert "no model package" in engine.ready().detail
        with pytest.raises(NotReady):
            await engine.predict_row(row_body(make_rows(1)[0]))
        await asyncio.to_thread(promote, project, 2)
        await wait_until(lambda: active_version(engine) == 2)
        aside.rename(folder)
        await asyncio.to_thread(promote, project, 1)
        await wait_until(lambda: active_version(engine) == 1)
        await engine.close()

    asyncio.run(run())


def test_an_archived_version_stops_predicting(project: Path) -> None:
    async def run() -> None:
        engine = make_engine(project)
        await engine.start()
        await asyncio.to_thread(promote, project, 1, "Archived")
        await wait_until(lambda: active_version(engine) is None)
        assert event_kinds(engine.state) == ["activated", "stopped"]
        await engine.close()

    asyncio.run(run())


def test_a_change_of_another_stage_changes_the_generation_only(project: Path) -> None:
    async def run() -> None:
        engine = make_engine(project)
        await engine.start()
        before = engine.loaded_model
        assert before is not None
        await asyncio.to_thread(promote, project, 2, "Staging")
        after = await engine.reload()
        assert (after.version, after.generation, after.package) == (1, before.generation + 1, before.package)
        await engine.close()

    asyncio.run(run())
