"""Three servers behind a proxy, on one PostgreSQL and one store of packages, replaced one by one while a load runs.

`MLOPS_ROLLOUTS` is the number of rounds, each a promotion and a rolling restart of all three servers. The short form
replaces one server.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import create_engine, text

from pipeline import state as store
from pipeline.registry import ModelRegistry
from tests.deploy.load_balancer import LoadBalancer, send_request
from tests.fixtures.proof import proof_rounds
from tests.fixtures.server_process import MODEL_NAME, ROW, RunningServer, make_project, run_server

if TYPE_CHECKING:
    from pathlib import Path

# One worker packs the models that these tests share.
pytestmark = pytest.mark.xdist_group("deploy")

N_REPLICAS = 3
N_CLIENTS = 3
N_ROLLOUTS = proof_rounds(1, long=3)
N_REPLACED = N_REPLICAS if "MLOPS_ROLLOUTS" in os.environ else 1
# The promise is two seconds (`--proof=long`); a machine that runs other tests at the same time gets more.
MAX_CONVERGENCE_S = proof_rounds(6, long=2)


@dataclass
class ReplicaSet:
    """The running servers, each with its own state folder, as a pod has."""

    base_dir: Path
    servers: list[tuple[RunningServer, ExitStack]] = field(default_factory=list)
    n_started: int = 0

    def start(self) -> int:
        self.n_started += 1
        root = self.base_dir / f"replica_{self.n_started}"
        (root / "state").mkdir(parents=True)
        for name in ("params.yaml", "state/log.key"):
            shutil.copy(self.base_dir / "project" / name, root / name)
        (root / "state/log.key").chmod(0o600)
        stack = ExitStack()
        server = stack.enter_context(run_server(root))
        self.servers.append((server, stack))
        return server.port

    def stop_oldest(self) -> int:
        """Ask the oldest server to stop, and return its exit code."""
        server, stack = self.servers.pop(0)
        code = server.stop()
        stack.close()
        return code

    def close(self) -> None:
        for _, stack in self.servers:
            stack.close()


@pytest.fixture
def replicas(
    two_packages: tuple[Path, Path], postgresql: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> ReplicaSet:
    engine = create_engine(f"{postgresql}/postgres".replace(":", "+psycopg:", 1), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text("CREATE DATABASE replicas"))
    engine.dispose()
    monkeypatch.setenv("MLOPS_STATE_URL", f"{postgresql}/replicas")
    monkeypatch.setenv("MLOPS_PACKAGES_URL", (tmp_path / "shared").as_uri())
    make_project(tmp_path / "project", list(two_packages))
    (tmp_path / "project/state/log.key").write_bytes(bytes(range(32)))
    (tmp_path / "project/state/log.key").chmod(0o600)
    return ReplicaSet(tmp_path)


@dataclass
class RolloutLoad:
    """Clients that send requests one after another, each on a new connection, until they are stopped."""

    port: int
    statuses: Counter[int] = field(default_factory=Counter)
    prediction_ids: set[str] = field(default_factory=set)
    is_stopped: bool = False

    async def run(self) -> None:
        body = json.dumps({"features": ROW}).encode()
        while not self.is_stopped:
            status, prediction = await send_request(self.port, "POST", "/predict", body)
            self.statuses[status] += 1
            self.prediction_ids.add(str(prediction.get("prediction_id")))
            await asyncio.sleep(0.01)


async def wait_until_converged(ports: list[int], version: int) -> float:
    """Return the seconds until every server predicts with a version."""
    body, began = json.dumps({"features": ROW}).encode(), time.monotonic()
    while time.monotonic() - began < 10:
        responses = [await send_request(port, "POST", "/predict", body) for port in ports]
        if {prediction.get("model_version") for _, prediction in responses} == {version}:
            return time.monotonic() - began
        await asyncio.sleep(0.05)
    raise AssertionError(f"not all servers predict with version {version} after 10 s")


async def replace_replicas(replicas: ReplicaSet, balancer: LoadBalancer) -> list[int]:
    """Replace each server as a Deployment with maxUnavailable 0 does: the new one is ready before the old one stops."""
    codes = []
    for _ in range(N_REPLACED):
        balancer.ports.append(await asyncio.to_thread(replicas.start))
        await balancer.wait_for_ready(N_REPLICAS + 1, 30)
        old = balancer.ports.pop(0)
        balancer.ready_ports.discard(old)  # the endpoint goes first; preStop gives it the time
        await asyncio.sleep(0.2)
        codes.append(await asyncio.to_thread(replicas.stop_oldest))
    return codes


async def roll_out_under_load(replicas: ReplicaSet) -> tuple[RolloutLoad, list[float], list[int]]:
    balancer = LoadBalancer([await asyncio.to_thread(replicas.start) for _ in range(N_REPLICAS)])
    load = RolloutLoad(await balancer.start())
    await balancer.wait_for_ready(N_REPLICAS, 30)
    callers = [asyncio.create_task(load.run()) for _ in range(N_CLIENTS)]
    seconds, codes = [], []
    registry = ModelRegistry(replicas.base_dir / "project", tracking_uri="http://127.0.0.1:1")
    for number in range(N_ROLLOUTS):
        version = 2 - number % 2
        await asyncio.to_thread(
            registry.promote_model, MODEL_NAME, version, "Production", force=True, reason="under load"
        )
        seconds.append(await wait_until_converged(balancer.ports, version))
        codes += await replace_replicas(replicas, balancer)
    load.is_stopped = True
    await asyncio.gather(*callers)
    await balancer.stop()
    return load, seconds, codes


@pytest.mark.usefixtures("starts_processes")
def test_replicas_are_replaced_and_a_model_is_promoted_without_a_failed_request(replicas: ReplicaSet) -> None:
    try:
        load, seconds, codes = asyncio.run(roll_out_under_load(replicas))
    finally:
        replicas.close()
    state = store.open_state(replicas.base_dir / "project")
    with state.reading() as connection:
        logged = set(connection.execute(text("SELECT prediction_id FROM predictions")).scalars())
    state.close()
    print(f"{load.statuses.total()} requests, converged after {max(seconds):.2f} s at the latest")
    assert set(load.statuses) == {200}
    assert load.statuses.total() > 20 * N_ROLLOUTS
    assert max(seconds) < MAX_CONVERGENCE_S
    assert codes == [0] * N_REPLACED * N_ROLLOUTS
    assert load.prediction_ids <= {str(prediction_id) for prediction_id in logged}
