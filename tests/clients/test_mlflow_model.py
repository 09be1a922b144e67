"""The model in MLflow predicts in an environment that has nothing but the model's own requirements."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from typing import TYPE_CHECKING

import numpy as np
import pytest

from pipeline.package import load_package
from pipeline.tracking.flavors import save_package
from tests.fixtures.client_environments import client_variables, locked_environment
from tests.fixtures.small_packages import parts, write_small_package

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.fixtures.client_environments import ClientEnvironment

pytestmark = [pytest.mark.usefixtures("starts_processes"), pytest.mark.xdist_group("mlflow-model")]

# The evaluator, the sklearn flavor and the command line in one process: their imports take seconds.
PROGRAM = """
import json, sys
import mlflow
import pandas as pd
folder, rows = sys.argv[1:]
frame = pd.read_json(rows, orient="split")
mlflow.set_tracking_uri(f"sqlite:///{rows}.db")
loaded = mlflow.pyfunc.load_model(folder)
native = mlflow.sklearn.load_model(folder)
result = mlflow.models.evaluate(folder, frame, targets="Personality", model_type="classifier")
print(json.dumps({
    "pyfunc": loaded.predict(frame.drop(columns="Personality"))[["Extrovert", "Introvert"]].to_numpy().tolist(),
    "sklearn": native.predict_proba(frame).tolist(),
    "metrics": {name: float(value) for name, value in result.metrics.items()},
    "engine": [name for name in sys.modules if name.partition(".")[0] == "pipeline"],
}))
"""


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("logged")
    write_small_package(folder / "package", "personality", n_rows=400)
    save_package(folder / "package", folder / "model")
    return folder


@pytest.fixture(scope="module")
def environment(package: Path) -> ClientEnvironment:
    return locked_environment("mlflow-model", package / "model" / "requirements.txt", has_hashes=False)


def test_it_loads_and_is_evaluated(package: Path, environment: ClientEnvironment) -> None:
    from sklearn.metrics import accuracy_score, log_loss, roc_auc_score

    rows = parts("personality", 400).test
    (package / "rows.json").write_text(rows.to_json(orient="split", index=False), encoding="utf-8")
    output = environment.run("-c", PROGRAM, str(package / "model"), str(package / "rows.json"), cwd=package)
    result = json.loads(output.strip().splitlines()[-1])
    loaded = load_package(package / "package")
    expected, labels = loaded.predict_proba(rows), rows["Personality"]
    assert np.abs(np.array(result["pyfunc"]) - expected).max() < 1e-12
    assert np.abs(np.array(result["sklearn"]) - expected).max() < 1e-12
    assert result["engine"] == []
    metrics = result["metrics"]
    assert metrics["accuracy_score"] == pytest.approx(accuracy_score(labels, loaded.predict(rows)))
    assert metrics["log_loss"] == pytest.approx(log_loss(labels, expected))
    assert metrics["roc_auc"] == pytest.approx(roc_auc_score(labels == "Introvert", expected[:, 1]))


@pytest.fixture(scope="module")
def served(package: Path, environment: ClientEnvironment) -> Iterator[str]:
    """The address of `mlflow models serve`, started in the environment of the model."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    folder = environment.python.parent
    command = [str(folder / "mlflow"), "models", "serve", "-m", str(package / "model"), "--env-manager", "local"]
    command += ["--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    with (package / "log").open("wb") as log:
        process = subprocess.Popen(
            command,
            cwd=package,
            env={**client_variables(), "PATH": f"{folder}:{os.environ['PATH']}"},
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        try:
            wait_for(f"http://127.0.0.1:{port}/ping", process)
            yield f"http://127.0.0.1:{port}/invocations"
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait(timeout=30)


def wait_for(address: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 240
    while time.monotonic() < deadline and process.poll() is None:
        try:
            urllib.request.urlopen(address, timeout=5).close()
        except OSError:
            time.sleep(0.2)
        else:
            return
    raise AssertionError("mlflow models serve did not start")


def post(address: str, body: object, content_type: str = "application/json") -> dict[str, list[dict[str, object]]]:
    data = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    request = urllib.request.Request(address, data, {"Content-Type": content_type})
    with urllib.request.urlopen(request, timeout=60) as response:
        predictions: dict[str, list[dict[str, object]]] = json.load(response)
    return predictions


def test_mlflow_serves_it_with_the_probabilities_of_the_package(package: Path, served: str) -> None:
    rows = parts("personality", 400).test.drop(columns="Personality").head(20)
    split = json.loads(rows.to_json(orient="split", index=False))
    expected = load_package(package / "package").predict_proba(rows)
    for body in ({"dataframe_split": split}, {"dataframe_records": json.loads(rows.to_json(orient="records"))}):
        predictions = post(served, body)["predictions"]
        served_rows = [[row["Extrovert"], row["Introvert"]] for row in predictions]
        assert np.abs(np.array(served_rows) - expected).max() < 1e-12
    only = post(served, {"dataframe_split": split, "params": {"output": "prediction"}})["predictions"]
    assert [list(row) for row in only] == [["prediction"]] * 20


def test_mlflow_takes_no_csv_for_columns_of_any_type(served: str) -> None:
    """MLflow reads CSV by the types of the signature; see docs/reference/tracking.md."""
    with pytest.raises(urllib.error.HTTPError, match=r"Error [45]"):
        post(served, "Time_spent_Alone\n4\n", "text/csv")
