"""Clients that generators write from the OpenAPI document compile and predict, and linters find nothing in it."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.fixtures.generated_clients import GENERATED_LANGUAGES, generated_client, node_tool
from tests.fixtures.server_process import ROW

if TYPE_CHECKING:
    from tests.fixtures.server_process import RunningServer

pytestmark = pytest.mark.xdist_group("protocol clients")

SPECTRAL_RULES = Path(__file__).with_name("npm") / "spectral.yaml"


@pytest.fixture(scope="module")
def document(protocol_server: RunningServer) -> bytes:
    with protocol_server.client() as client:
        return client.get("/openapi.json").content


@pytest.mark.parametrize("language", GENERATED_LANGUAGES)
def test_a_generated_client_predicts_and_reads_a_refusal(
    protocol_server: RunningServer, document: bytes, language: str
) -> None:
    command = generated_client(language, document)
    done = subprocess.run(
        [*command, protocol_server.address, json.dumps(ROW)], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    result: dict[str, Any] = json.loads(done.stdout)
    with protocol_server.client() as client:
        expected = client.post("/predict", json={"features": ROW}).json()
    assert result == {
        "prediction": expected["prediction"],
        "batch": pytest.approx([expected["confidence"]] * 2, rel=1e-6),  # Go and Java have single precision
        "stored": 1,
        "refused": "features.Time_spent_Alone",
    }


@pytest.mark.parametrize(
    "words",
    [
        pytest.param(("redocly", "lint", "--extends", "recommended", "--max-problems", "5"), id="Redocly"),
        pytest.param(("spectral", "lint", "--fail-severity", "hint", "-r", str(SPECTRAL_RULES)), id="Spectral"),
    ],
)
def test_a_linter_finds_nothing_in_the_document(document: bytes, words: tuple[str, ...], tmp_path: Path) -> None:
    path = tmp_path / "openapi.json"
    path.write_bytes(document)
    name, *options = words
    done = subprocess.run(
        [str(node_tool(name)), *options, str(path)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, "warning" in done.stdout) == (0, False), done.stdout + done.stderr
