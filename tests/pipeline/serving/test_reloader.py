"""A server follows what was decided, and a damaged package changes nothing of what serves."""

from __future__ import annotations

import asyncio
import json
import shutil
import time
from typing import TYPE_CHECKING, Any

import pytest

from pipeline import state as store
from pipeline.serving import NotReady
from tests.fixtures.proof import proof_rounds
from tests.fixtures.registered_project import NAME, engine_settings, make_engine, make_rows, promote, row_body

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pipeline.serving import Engine

N_SWAPS = proof_rounds(3, long=40)


def _truncate_file(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _flip_byte(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


# One folder may be damaged in any of these ways; with 15 files and two moments (running, starting) there are 30 and more.
DAMAGES: dict[str, Callable[[Path], object]] = {
    "gone": shutil.rmtree,
    "empty": lambda folder: [path.unlink() for path in folder.iterdir()],
    "no manifest": lambda folder: (folder / "manifest.json").unlink(),
    "half a manifest": lambda folder: _truncate_file(folder / "manifest.json"),
    "another manifest": lambda folder: _flip_byte(folder / "manifest.json"),
    "a file too much": lambda folder: (folder / "more.bin").write_bytes(b"1"),
    **{
        f"{name} {how}": (lambda folder, name=name, damage=damage: damage(folder / name))
        for name in ("model.onnx", "model.skops", "golden.json", "encoder.json", "schema.yaml", "decision.json")
        for how, damage in (("cut", _truncate_file), ("changed", _flip_byte))
    },
}


def package_folder(root: Path, version: int) -> Path:
    state = store.open_state(root)
    with state.reading() as connection:
        digest = store.find_version(connection, NAME, version).digest
    state.close()
    return root / "state/packages" / digest


def event_kinds(engine: Engine) -> list[str]:
    with engine.state.reading() as connection:
        return [event.kind for event in reversed(store.read_serving_events(connection, NAME))]


async def wait_until(check: Callable[[], bool], within_s: float = 5.0) -> None:
    deadline = time.monotonic() + within_s
    while not check():
        assert time.monotonic() < deadline, "it did not happen in time"
        await asyncio.sleep(0.02)


def active_version(engine: Engine) -> int | None:
    return None if engine.loaded_model is None else engine.loaded_model.version


def test_a_decision_is_followed_within_two_seconds_and_answers_agree_with_themselves(project_on: Path) -> None:
    row = make_rows(1)[0]
    answers: list[dict[str, Any]] = []

    async def ask(engine: Engine, is_done: asyncio.Event) -> None:
        while not is_done.is_set():
            answers.append(json.loads(await engine.predict_row(row_body(row))))

    async def run() -> None:
        engine = make_engine(project_on, engine=engine_settings(poll_interval_s=1.0))
        await engine.start()
        is_done = asyncio.Event()
        clients = [asyncio.create_task(ask(engine, is_done)) for _ in range(4)]
        for at in range(N_SWAPS):
            version = 2 - at % 2
            await asyncio.to_thread(promote, project_on, version)
            await wait_until(lambda wanted=version: active_version(engine) == wanted, within_s=2.5)
            await asyncio.sleep(0.05)
        is_done.set()
        await asyncio.gather(*clients)
        assert engine.previous_model is not None
        await engine.close()

    asyncio.run(run())
    told = {(one["model_version"], one["model_digest"], one["confidence"]) for one in answers}
    assert {version for version, _, _ in told} == {1, 2}
    assert len(told) == 2  # each version has one digest and one value


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_package_is_refused_and_the_last_good_one_serves_on(project: Path, damage: str) -> None:
    DAMAGES[damage](package_folder(project, 2))

    async def run() -> None:
        engine = make_engine(project)
        await engine.start()
        await asyncio.to_thread(promote, project, 2)
        await engine.reload()
        assert (active_version(engine), engine.ready().is_ready) == (1, True)
        assert json.loads(await engine.predict_row(row_body(make_rows(1)[0])))["served_by"] == "production"
        assert event_kinds(engine) == ["activated", "refused"]
        await engine.close()
        restarted = make_engine(project)
        await restarted.start()
        answer = json.loads(await restarted.predict_row(row_body(make_rows(1)[0])))
        assert (answer["model_version"], answer["served_by"]) == (1, "last_good")
        await restarted.close()

    asyncio.run(run())


def test_a_start_without_a_sound_package_is_not_ready_and_recovers_by_itself(project: Path, tmp_path: Path) -> None:
    folder = package_folder(project, 1)
    kept = tmp_path / "kept"
    folder.rename(kept)

    async def run() -> None:
        engine = make_engine(project, engine=engine_settings(fallback_to_last_good=False))
        await engine.start()
        assert "no model package" in engine.ready().reason
        with pytest.raises(NotReady):
            await engine.predict_row(row_body(make_rows(1)[0]))
        await asyncio.to_thread(promote, project, 2)
        await wait_until(lambda: active_version(engine) == 2)
        kept.rename(folder)
        await asyncio.to_thread(promote, project, 1)
        await wait_until(lambda: active_version(engine) == 1)
        await engine.close()

    asyncio.run(run())


def test_what_is_taken_out_of_production_serves_no_more(project: Path) -> None:
    async def run() -> None:
        engine = make_engine(project)
        await engine.start()
        await asyncio.to_thread(promote, project, 1, "Archived")
        await wait_until(lambda: active_version(engine) is None)
        assert event_kinds(engine) == ["activated", "stopped"]
        await engine.close()

    asyncio.run(run())


def test_a_decision_about_something_else_only_moves_the_generation(project: Path) -> None:
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
