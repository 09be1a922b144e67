"""Programs write a client from our OpenAPI document, and that client works.

The generator wants an older Typer than we do, so it lives in an environment of its own: `MLOPS_CLIENT_GENERATOR` names
its program (`make generated-client` installs it and runs this). What it needs of the document is asked always.
"""

from __future__ import annotations

import importlib
import os
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from tests.fixtures.server_process import ROW

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import httpx

    from tests.fixtures.server_process import RunningServer

GENERATOR = os.environ.get("MLOPS_CLIENT_GENERATOR")


def schema_nodes(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from schema_nodes(inner)


def test_every_reference_names_a_schema_and_every_array_declares_its_items(client: httpx.Client) -> None:
    document = client.get("/openapi.json").json()
    known = {f"#/components/schemas/{name}" for name in document["components"]["schemas"]}
    found = list(schema_nodes(document))
    assert {prediction["$ref"] for prediction in found if "$ref" in prediction} <= known
    assert all("items" in prediction for prediction in found if prediction.get("type") == "array")


@pytest.mark.skipif(GENERATOR is None, reason="MLOPS_CLIENT_GENERATOR names no generator; see `make generated-client`")
def test_a_generated_client_predicts_and_sends_outcomes(
    server: RunningServer, client: httpx.Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    document = tmp_path / "openapi.json"
    document.write_text(client.get("/openapi.json").text, encoding="utf-8")
    command = [
        str(GENERATOR),
        "generate",
        "--path",
        str(document),
        "--output-path",
        str(tmp_path / "made"),
        "--meta",
        "none",
    ]
    subprocess.run(command, check=True, capture_output=True)
    monkeypatch.syspath_prepend(tmp_path)
    generated = importlib.import_module("made")
    models = importlib.import_module("made.models")
    api = {
        name: importlib.import_module(f"made.api.default.{name}") for name in ("predict", "predict_batch", "feedback")
    }
    row = models.Features.from_dict(ROW)
    with generated.Client(base_url=server.address) as caller:
        prediction = api["predict"].sync(client=caller, body=models.Row(features=row))
        assert (prediction.prediction in ("Extrovert", "Introvert"), prediction.served_by) == (True, "production")
        predictions = api["predict_batch"].sync(client=caller, body=models.Batch(instances=[row, row]))
        assert len(predictions.predictions) == 2
        outcome = models.Outcome.from_dict({"prediction_id": prediction.prediction_id, "outcome": "Introvert"})
        assert api["feedback"].sync_detailed(client=caller, body=outcome).status_code == 200
        bad = models.Features.from_dict({**ROW, "Time_spent_Alone": 400})
        refused = api["predict"].sync(client=caller, body=models.Row(features=bad))
        assert refused.problems[0].path == "features.Time_spent_Alone"
