"""The library predicts with the Production version, without a server."""

from __future__ import annotations

import subprocess
import sys
from contextlib import closing
from typing import TYPE_CHECKING

import pandas as pd
import pytest

from pipeline import ModelServer
from pipeline import state as store
from pipeline.errors import UsageError
from pipeline.serving import InvalidRequest
from tests.fixtures.registered_project import make_rows
from tests.fixtures.toy_dataset import ROOT

if TYPE_CHECKING:
    from pathlib import Path


def test_the_library_predicts_as_the_api_does(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLOPS_ACTOR", "nightly")
    (project / "params.yaml").write_bytes((ROOT / "params.yaml").read_bytes())
    frame = pd.DataFrame(make_rows(20)).convert_dtypes()
    with ModelServer("personality_model", root=project) as server:
        predictions = server.predict_batch(frame)
        alone = server.predict(make_rows(20)[3])
        assert alone["probabilities"] == predictions[3]["probabilities"]
        assert server.feedback([{"prediction_id": alone["prediction_id"], "outcome": "Introvert"}]) == 1
        with closing(store.open_state(project)) as state, state.reading() as connection:
            assert [outcome.caller for outcome in store.read_outcomes(connection, alone["prediction_id"])] == [
                "nightly"
            ]
        with pytest.raises(InvalidRequest, match=r"features\.Stage_fear: expected a string"):
            server.predict({"Stage_fear": "Maybe"})


def test_a_stage_that_is_never_served_is_refused() -> None:
    with pytest.raises(UsageError, match="model_stage is 'Archived'; accepted are Production and Staging"):
        ModelServer("personality_model", "Archived")


def test_a_value_without_a_json_form_is_refused(project: Path) -> None:
    (project / "params.yaml").write_bytes((ROOT / "params.yaml").read_bytes())
    with (
        ModelServer("personality_model", root=project) as server,
        pytest.raises(UsageError, match="has type set"),
    ):
        server.predict({"Stage_fear": {"Yes"}})


def test_a_server_that_was_never_used_closes(tmp_path: Path) -> None:
    ModelServer("personality_model", root=tmp_path).close()


@pytest.mark.usefixtures("starts_processes")
def test_the_library_imports_neither_a_server_nor_a_training_package(project: Path) -> None:
    (project / "params.yaml").write_bytes((ROOT / "params.yaml").read_bytes())
    code = (
        "import sys; from pathlib import Path; from pipeline import ModelServer\n"
        "with ModelServer('personality_model', root=Path(sys.argv[1])) as server:\n"
        "    server.predict({'Stage_fear': 'Yes'})\n"
        "print(*{'fastapi', 'uvicorn', 'mlflow', 'dvc', 'hydra', 'pandera', 'sklearn'} & set(sys.modules))"
    )
    command = [sys.executable, "-c", code, str(project)]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout.strip()) == (0, ""), result.stderr
