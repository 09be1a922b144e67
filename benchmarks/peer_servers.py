"""Other model servers for `serving_load.py`, each in its own environment, with the same estimator and their own API.

They serve a scikit-learn pipeline that is fitted to the same rows: medians and one-hot columns, then our estimator with
the same parameters. They log nothing.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd

__all__ = ["PEERS", "PeerServer", "install_peer", "installed_version", "open_inference_body", "save_pipeline"]

_SCRIPTS = Path(__file__).parent / "peers"
_CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "declarative-mlops/peers"


@dataclass(frozen=True, slots=True)
class PeerServer:
    """The packages, commands and requests of a server; `{port}` and `{bin}` in a command are replaced."""

    name: str
    packages: tuple[str, ...]
    command: tuple[str, ...]
    row_request: tuple[str, Callable[[dict[str, Any]], Any]]
    batch_request: tuple[str, Callable[[list[dict[str, Any]]], Any]]
    setup_command: tuple[str, ...] = ()

    def start_command(self, folder: Path, port: int) -> list[str]:
        """Copy scripts and settings to `folder`, and return the command that serves the pipeline there."""
        for script in _SCRIPTS.iterdir():
            if script.is_file():
                shutil.copy(script, folder / script.name)
        settings = {"name": "model", "implementation": "mlserver_sklearn.SKLearnModel"}
        (folder / "model-settings.json").write_text(json.dumps({**settings, "parameters": {"uri": "./model.joblib"}}))
        ports = {"http_port": port, "grpc_port": port + 1, "metrics_port": port + 2, "host": "127.0.0.1"}
        (folder / "settings.json").write_text(json.dumps({**ports, "parallel_workers": 0}))
        bin_folder = str(_CACHE / self.name / "bin")
        if self.setup_command:
            subprocess.run(
                [word.format(bin=bin_folder) for word in self.setup_command],
                cwd=folder,
                check=True,
                capture_output=True,
            )
        return [word.format(bin=bin_folder, port=port) for word in self.command]


def install_peer(peer: PeerServer) -> str:
    """Install a peer by pip unless it is installed; return the reason of a failure, otherwise an empty text."""
    home = _CACHE / peer.name
    requirements = (
        *peer.packages,
        *(f"{name}=={version(name)}" for name in ("scikit-learn", "pandas", "numpy", "joblib")),
    )
    marker = home / "installed.json"
    if marker.exists() and json.loads(marker.read_text(encoding="utf-8")) == list(requirements):
        return ""
    try:
        if not (home / "bin/pip").exists():
            subprocess.run([sys.executable, "-m", "venv", str(home)], check=True, capture_output=True, text=True)
        command = [str(home / "bin/pip"), "install", "--quiet", *requirements]
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=900)
    except (OSError, subprocess.SubprocessError) as error:
        lines = (getattr(error, "stderr", None) or str(error)).strip().splitlines()
        return lines[-1] if lines else "pip failed"
    marker.write_text(json.dumps(requirements), encoding="utf-8")
    return ""


def installed_version(peer: PeerServer) -> str:
    """Return the installed release of a peer."""
    code = f"from importlib.metadata import version; print(version({peer.packages[0].partition('[')[0]!r}))"
    command = [str(_CACHE / peer.name / "bin/python"), "-c", code]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def save_pipeline(path: Path, estimator: Any, train: pd.DataFrame, target: str) -> None:
    """Fit and save a usual pipeline: medians and one-hot columns before the estimator, on the same rows."""
    import joblib
    from sklearn.base import clone
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    rows = train.drop(columns=target)
    numeric = [name for name in rows if rows[name].dtype.kind in "iuf"]
    categorical = [name for name in rows if name not in numeric]
    inputs = rows.astype({**dict.fromkeys(numeric, float), **dict.fromkeys(categorical, object)})
    inputs[categorical] = inputs[categorical].where(inputs[categorical].notna(), "missing")
    preprocessing = ColumnTransformer(
        [
            ("numeric", make_pipeline(SimpleImputer(strategy="median"), StandardScaler()), numeric),
            ("categorical", OneHotEncoder(handle_unknown="ignore", sparse_output=False), categorical),
        ]
    )
    pipeline = make_pipeline(preprocessing, clone(estimator))
    joblib.dump(pipeline.fit(inputs, train[target].astype(str).to_numpy()), path)


def open_inference_body(rows: list[dict[str, Any]], output: str = "predict_proba") -> dict[str, Any]:
    """Return rows as columns in the Open Inference Protocol, asking for one output."""
    inputs = [
        {
            "name": name,
            "shape": [len(rows), 1],
            "datatype": "BYTES" if isinstance(rows[0][name], str) else "FP64",
            "data": [row[name] for row in rows],
            **({"parameters": {"content_type": "str"}} if isinstance(rows[0][name], str) else {}),
        }
        for name in rows[0]
    ]
    return {"parameters": {"content_type": "pd"}, "inputs": inputs, "outputs": [{"name": output}]}


def _instances_body(rows: list[dict[str, Any]]) -> dict[str, Any]:
    return {"instances": rows}


def _same_request(path: str, body: Callable[[list[dict[str, Any]]], Any]) -> dict[str, Any]:
    return {"row_request": (path, lambda row: body([row])), "batch_request": (path, body)}


_UVICORN = ("{bin}/uvicorn", "fastapi_server:app", "--port", "{port}", "--no-access-log", "--log-level", "error")
_MLFLOW = ("{bin}/mlflow", "models", "serve", "-m", "mlflow_model", "--env-manager", "local", "-p", "{port}", "-w", "1")

PEERS = {
    peer.name: peer
    for peer in (
        PeerServer(
            "fastapi",
            ("fastapi", "uvicorn[standard]"),
            _UVICORN,
            ("/predict", lambda row: {"features": row}),
            ("/predict/batch", _instances_body),
        ),
        PeerServer(
            "litserve",
            ("litserve",),
            ("{bin}/python", "litserve_server.py", "{port}"),
            **_same_request("/predict", _instances_body),
        ),
        PeerServer(
            "bentoml",
            ("bentoml",),
            ("{bin}/bentoml", "serve", "bentoml_server:Model", "--host", "127.0.0.1", "--port", "{port}"),
            **_same_request("/predict", _instances_body),
        ),
        PeerServer(
            "mlflow",
            ("mlflow", "uvicorn[standard]"),
            _MLFLOW,
            **_same_request("/invocations", lambda rows: {"dataframe_records": rows}),
            setup_command=("{bin}/python", "mlflow_model.py"),
        ),
        PeerServer(
            "mlserver",
            ("mlserver", "mlserver-sklearn"),
            ("{bin}/mlserver", "start", "."),
            **_same_request("/v2/models/model/infer", open_inference_body),
        ),
    )
}
