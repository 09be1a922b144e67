from __future__ import annotations

import asyncio
import getpass
import json
import shutil
import socket
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from pipeline.serving.http.application import ServerStatus
from pipeline.serving.http.authentication import ANONYMOUS
from pipeline.serving.http.messages import HttpRequest
from pipeline.serving.http.probe_endpoints import ProbeEndpoints
from pipeline.serving.http.router import Router, bind_routes, declared_routes
from pipeline.serving.serving_errors import NotReady
from pipeline.state import open_state
from tests.fixtures.project_databases import DATABASE_KIND
from tests.fixtures.registered_project import make_engine, make_rows, package_folder, row_body
from tests.pipeline.serving.behavior.test_prediction_durability import full_disk
from tests.pipeline.serving.test_storage_watch import FAULTS, wait_for

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pipeline.serving import Engine
    from pipeline.serving.http.messages import HttpResponse
    from pipeline.serving.prediction_types import Readiness


def get(root: Path, path: str) -> HttpResponse:
    router = Router(bind_routes(ProbeEndpoints(make_engine(root), ServerStatus())))
    route, path_params = router.find("GET", path)
    return asyncio.run(route.handler(HttpRequest("GET", path, b"", {}, "r-1", ANONYMOUS, path_params)))


def test_every_route_is_a_public_probe() -> None:
    assert {(route.role, route.is_probe) for route in declared_routes(ProbeEndpoints)} == {("public", True)}


@pytest.mark.parametrize("path", ["/livez", "/v2/health/live"])
def test_a_process_without_a_model_is_live(tmp_path: Path, path: str) -> None:
    response = get(tmp_path, path)
    assert (response.status, response.body) == (200, b'{"live":true}')


@pytest.mark.parametrize("path", ["/readyz", "/v2/health/ready", "/health"])
def test_a_process_without_a_model_is_not_ready(tmp_path: Path, path: str) -> None:
    response = get(tmp_path, path)
    assert (response.status, json.loads(response.body)["ready"]) == (503, False)


def damage_package(root: Path) -> None:
    (package_folder(root, 1) / "model.onnx").write_bytes(b"no model")


def remove_deployment(root: Path) -> None:
    state = open_state(root)
    with state.writing() as connection:
        connection.execute(text("DELETE FROM deployments"))
    state.close()


def remove_package(root: Path) -> None:
    shutil.rmtree(package_folder(root, 1))


BEFORE_THE_START: dict[str, Callable[[Path], None]] = {
    "package damaged": damage_package,
    "package removed": remove_package,
    "nothing deployed": remove_deployment,
}
WHILE_IT_RUNS = {name: break_it for name, (break_it, _) in FAULTS.items() if DATABASE_KIND == "sqlite"}
PROBE_PATHS = ("/readyz", "/v2/health/ready", "/health")


@pytest.mark.parametrize("fault", [*BEFORE_THE_START, *WHILE_IT_RUNS, "stopping", "log failing", "closed"])
def test_a_probe_contains_no_address_path_user_or_host(project: Path, fault: str) -> None:
    """The details are in the status, which needs a role, and in the log."""
    if fault in BEFORE_THE_START:
        BEFORE_THE_START[fault](project)
    changes: list[Readiness] = []

    async def run() -> tuple[list[HttpResponse], str]:
        engine = make_engine(project)
        engine.on_readiness_change = changes.append
        await engine.start()
        status = ServerStatus(is_draining=fault == "stopping")
        if fault in WHILE_IT_RUNS:
            await asyncio.to_thread(WHILE_IT_RUNS[fault], project)
            await wait_for(engine, is_ready=False)
        if fault == "log failing":
            await fail_the_log(engine, project)
        if fault == "closed":
            await engine.close()
        await asyncio.sleep(0.6 if fault in BEFORE_THE_START else 0)
        router = Router(bind_routes(ProbeEndpoints(engine, status)))
        responses = []
        for path in PROBE_PATHS:
            route, path_params = router.find("GET", path)
            responses.append(await route.handler(HttpRequest("GET", path, b"", {}, "r-1", ANONYMOUS, path_params)))
        detail = engine.status()["reason"]
        await engine.close()
        return responses, detail

    responses, detail = asyncio.run(run())
    assert [response.status for response in responses] == [503] * 3
    secrets = {str(project), project.name, getpass.getuser(), socket.gethostname(), "state.db"}
    for response in responses:
        body = response.body.decode()
        assert not [secret for secret in ("/", "\\\\", *secrets) if secret in body], body
    if fault in WHILE_IT_RUNS or fault == "log failing":
        assert "state.db" in detail
        assert fault == "log failing" or "state.db" in changes[-1].detail
    if fault.startswith("package"):
        assert str(project / "state/packages") in changes[0].detail


async def fail_the_log(engine: Engine, root: Path) -> None:
    """Predict into a full disk until a commit fails."""
    with full_disk(root / "state/state.db-shm"):
        for _ in range(40):
            with suppress(NotReady):
                await engine.predict_row(row_body(make_rows(1)[0]))
