"""A server is ready only when its golden rows get their recorded answers over the path of a real request."""

from __future__ import annotations

import asyncio
import json
import os
from typing import TYPE_CHECKING

import pytest

from pipeline.errors import IntegrityError
from pipeline.package import PackageStore
from pipeline.serving.bundle import load_bundle
from pipeline.serving.http.rehearsal import rehearse
from tests.pipeline.serving.conftest import engine_settings
from tests.pipeline.serving.http.running import ROW, make_project, running

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.serving.bundle import Bundle


def bundle_of(package_folder: Path, root: Path) -> Bundle:
    store = PackageStore(root / "packages")
    digest = store.add(package_folder).digest
    return load_bundle(
        store, model="m", version=1, digest=digest, generation=1, served_by="champion",
        config=engine_settings(), secret=b"0",
    )  # fmt: skip


def test_golden_rows_hold_edges_gaps_and_spread(package: Path) -> None:
    golden = json.loads((package / "golden.json").read_text(encoding="utf-8"))
    alone = golden["columns"]["Time_spent_Alone"]
    assert {None, 0, 11} <= set(alone)
    assert all(values[-1] is None for values in golden["columns"].values())


def test_a_sound_bundle_passes_also_inside_a_running_loop(package: Path, tmp_path: Path) -> None:
    bundle = bundle_of(package, tmp_path)

    async def run() -> None:
        await asyncio.to_thread(rehearse, bundle)

    asyncio.run(run())


def test_an_answer_that_changed_names_its_row(package: Path, tmp_path: Path) -> None:
    bundle = bundle_of(package, tmp_path)
    bundle.package.golden_rows["probabilities"][3] = [0.5, 0.5]
    with pytest.raises(IntegrityError, match="row 3 over HTTP"):
        rehearse(bundle)


def test_a_row_that_is_refused_now_is_named_with_the_reason(package: Path, tmp_path: Path) -> None:
    bundle = bundle_of(package, tmp_path)
    bundle.package.golden_rows["columns"]["Time_spent_Alone"][2] = 400
    with pytest.raises(IntegrityError, match=r"row 2 over HTTP .*is refused"):
        rehearse(bundle)


def test_a_library_that_answers_otherwise_keeps_the_server_not_ready_and_the_row_is_told(
    package: Path, tmp_path: Path
) -> None:
    root = tmp_path / "project"
    make_project(root, [package])
    patch = tmp_path / "sitecustomize.py"
    # What an upgrade of the library that scores might do, put underneath a process of its own.
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
    with running(root, PYTHONPATH=path) as server, server.client() as client:
        answer = client.get("/readyz")
        assert answer.status_code == 503
        assert "row 0" in answer.json()["reason"]
        assert client.post("/predict", json={"features": ROW}).status_code == 503


def test_the_rehearsal_is_no_traffic_and_leaves_no_row(package: Path, tmp_path: Path) -> None:
    make_project(tmp_path / "project", [package])
    with running(tmp_path / "project") as server, server.client() as client:
        assert client.get("/v1/status").json()["n_rows"] == 0
        assert 'operation="predict"' not in client.get("/metrics").text
