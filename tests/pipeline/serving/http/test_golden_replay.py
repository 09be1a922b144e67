"""A server is ready only when its golden rows get their recorded responses over the path of a real request."""

from __future__ import annotations

import asyncio
import json
import os
from typing import TYPE_CHECKING

import pytest

from pipeline.errors import IntegrityError
from pipeline.package import PackageStore
from pipeline.serving.http.golden_replay import replay_golden_rows
from pipeline.serving.loaded_model import load_model
from tests.fixtures.registered_project import engine_settings
from tests.fixtures.server_process import ROW, make_project, run_server

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.serving.loaded_model import LoadedModel


def load_first(package_folder: Path, root: Path) -> LoadedModel:
    store = PackageStore(root / "packages")
    digest = store.add(package_folder).digest
    return load_model(
        store, model="m", version=1, digest=digest, generation=1, served_by="production",
        config=engine_settings(), hash_key=b"0",
    )  # fmt: skip


def test_golden_rows_contain_bounds_missing_values_and_spread(package: Path) -> None:
    golden = json.loads((package / "golden.json").read_text(encoding="utf-8"))
    alone = golden["columns"]["Time_spent_Alone"]
    assert {None, 0, 11} <= set(alone)
    assert all(values[-1] is None for values in golden["columns"].values())


def test_a_valid_model_passes_inside_a_running_loop(package: Path, tmp_path: Path) -> None:
    bundle = load_first(package, tmp_path)

    async def run() -> None:
        await asyncio.to_thread(replay_golden_rows, bundle)

    asyncio.run(run())


def test_a_changed_prediction_names_its_row(package: Path, tmp_path: Path) -> None:
    bundle = load_first(package, tmp_path)
    bundle.package.golden_rows["probabilities"][3] = [0.5, 0.5]
    with pytest.raises(IntegrityError, match="row 3 over HTTP"):
        replay_golden_rows(bundle)


def test_a_row_that_is_refused_now_is_named_with_the_reason(package: Path, tmp_path: Path) -> None:
    bundle = load_first(package, tmp_path)
    bundle.package.golden_rows["columns"]["Time_spent_Alone"][2] = 400
    with pytest.raises(IntegrityError, match=r"row 2 over HTTP .*is refused"):
        replay_golden_rows(bundle)


@pytest.mark.usefixtures("starts_processes")
def test_a_library_with_other_predictions_blocks_readiness_and_names_the_row(package: Path, tmp_path: Path) -> None:
    root = tmp_path / "project"
    make_project(root, [package])
    patch = tmp_path / "sitecustomize.py"
    # As an upgrade of the library could do, in a process of its own.
    patch.write_text(
        "import onnxruntime\n"
        "class Session(onnxruntime.InferenceSession):\n"
        "    def run(self, *words):\n"
        "        (found,) = super().run(*words)\n"
        "        found[:, 0] *= 0.999\n"
        "        return [found]\n"
        "onnxruntime.InferenceSession = Session\n",
        encoding="utf-8",
    )
    path = os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])])
    with run_server(root, PYTHONPATH=path) as server, server.client() as client:
        response = client.get("/readyz")
        assert response.status_code == 503
        assert response.json()["reason"].startswith("the deployed version cannot be loaded")
        assert "row 0" in client.get("/v1/status").json()["reason"]
        assert client.post("/predict", json={"features": ROW}).status_code == 503


@pytest.mark.usefixtures("starts_processes")
def test_the_replay_is_not_counted_and_logs_no_row(package: Path, tmp_path: Path) -> None:
    make_project(tmp_path / "project", [package])
    with run_server(tmp_path / "project") as server, server.client() as client:
        assert client.get("/v1/status").json()["n_rows"] == 0
        assert 'operation="predict"' not in client.get("/metrics").text
