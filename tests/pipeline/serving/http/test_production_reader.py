"""The status endpoint reports production as the state database and this server know it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from pipeline.config.config_loader import load_params
from pipeline.serving.engine import Engine
from pipeline.serving.http.production_reader import ProductionReader
from tests.fixtures.server_process import MODEL_NAME, make_project

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import httpx

_PERIOD_US = 3_600_000_000


def test_the_endpoint_names_state_sentence_and_next_step_of_each_component(client: httpx.Client) -> None:
    production = client.get("/v1/status").json()["production"]
    assert list(production["components"]) == ["database", "log", "version", "api", "monitor", "incidents"]
    assert production["state"] == "degraded"
    assert production["sentence"].startswith("Production is degraded since")
    assert production["components"]["version"]["condition"] == "forced"
    assert production["components"]["api"]["state"] == "healthy"


def _read(root: Path, change: Callable[[Engine], None], *, is_draining: bool = False) -> dict[str, Any]:
    config = load_params(root / "params.yaml")

    async def read() -> dict[str, Any]:
        engine = Engine(root, MODEL_NAME, config.serving.engine, config.serving.log)
        await engine.start()
        try:
            change(engine)
            return await ProductionReader(engine, _PERIOD_US).read(is_draining=is_draining)
        finally:
            await engine.close()

    components: dict[str, Any] = asyncio.run(read())["components"]
    return components


def test_a_server_that_stops_is_not_ready(package: Path, tmp_path: Path) -> None:
    make_project(tmp_path, [package])
    api = _read(tmp_path, lambda _: None, is_draining=True)["api"]
    assert (api["state"], api["sentence"]) == ("down", "This server is not ready: the server is stopping")


def test_a_failing_log_makes_database_and_api_down_and_the_rest_unknown(package: Path, tmp_path: Path) -> None:
    make_project(tmp_path, [package])

    def fail(engine: Engine) -> None:
        engine._require_running().worker.storage_error = "the disk is full"

    components = _read(tmp_path, fail)
    states = {name: component["state"] for name, component in components.items()}
    assert states == {
        "database": "down",
        "log": "down",
        "version": "unknown",
        "api": "down",
        "monitor": "unknown",
        "incidents": "unknown",
    }
    assert "the disk is full" in components["database"]["sentence"]


def test_a_server_that_was_not_started_is_not_ready(tmp_path: Path, package: Path) -> None:
    make_project(tmp_path, [package])
    config = load_params(tmp_path / "params.yaml")
    engine = Engine(tmp_path, MODEL_NAME, config.serving.engine, config.serving.log)
    status = asyncio.run(ProductionReader(engine, _PERIOD_US).read(is_draining=False))
    assert status["components"]["api"]["condition"] == "not_ready"
