"""Requests a second and latencies of our server with the log on and off, beside a bare echo in the same run.

    python benchmarks/serving.py --seconds 5

Needs `wrk`. For each model a project is made in a temporary folder: trained, registered, put into Production.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline import package
from pipeline.config.compose import compose
from pipeline.config.load import build
from pipeline.data import sources
from pipeline.data.split import split
from pipeline.gates import Gate, GateReport
from pipeline.package import PackageStore
from pipeline.registry import decisions
from pipeline.schema import Schema
from pipeline.state import open_state
from pipeline.training import train

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1]
MODELS = {
    "logistic regression": ("model=logistic_regression",),
    "boosting": ("model=hist_gradient_boosting",),
    "forest of 300": ("model=random_forest", "model.estimator.n_estimators=300"),
}
ECHO = """
async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            await send({"type": message["type"] + ".complete"})
            if message["type"] == "lifespan.shutdown":
                return
    body = (await receive()).get("body", b"")
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
    await send({"type": "http.response.body", "body": body})
"""


def project(folder: Path, overrides: tuple[str, ...]) -> list[dict[str, Any]]:
    """Put a model into Production in a fresh project and return rows that it did not learn from."""
    config = build(
        compose((*overrides, "training.folds=2", "data.source.rows=4000"), conf=ROOT / "conf").values, where=""
    )
    schema = Schema.from_config(config.data)
    parts = split(sources.fetch(config.data, root=ROOT).frame, schema, config.data.split, seed=config.seed)
    result = train(parts.train, schema, config.features, config.model, config.training, seed=config.seed)
    package.write(
        folder / "candidate",
        result.classifier,
        train=parts.train,
        parity=parts.test,
        scores=result.out_of_fold,
        metrics=result.mean,
        lineage={},
        training=config.training,
        model=config.model.name,
    )
    state, store = open_state(folder), PackageStore(folder / "state/packages")
    passed = GateReport("0" * 64, None, (Gate("benchmark", "pass", "none"),)).as_dict()
    found = store.add(folder / "candidate")
    version, _ = decisions.register(state, store, config.name, found, tags={}, gates=passed, description="")
    decisions.promote(state, config.name, version.version, "Production")
    state.close()
    features = parts.test.drop(columns=config.data.target.column)
    rows: list[dict[str, Any]] = json.loads(features.to_json(orient="records"))
    return rows


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running(command: list[str], port: int, folder: Path) -> Iterator[tuple[int, float]]:
    """Yield the process's id and how long it took until it answered."""
    started = time.perf_counter()
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        while time.perf_counter() - started < 60:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=1).close()
                break
            except OSError:
                time.sleep(0.02)
        yield process.pid, time.perf_counter() - started
    finally:
        process.terminate()
        process.wait()


def resident_mb(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    found = re.search(r"VmRSS:\s+(\d+)", status)
    return int(found[1]) / 1024 if found else 0.0


def loaded(port: int, path: str, body: str, connections: int, seconds: float, folder: Path) -> str:
    """Return requests a second, p50 and p99 as one line, from wrk."""
    script = folder / "post.lua"
    header = 'wrk.headers["Content-Type"] = "application/json"'
    script.write_text(f"wrk.method = 'POST'\nwrk.body = [[{body}]]\n{header}\n", encoding="utf-8")
    address = f"http://127.0.0.1:{port}{path}"
    command = [
        "wrk",
        "-t1",
        f"-c{connections}",
        f"-d{seconds:g}s",
        "--timeout",
        "20s",
        "--latency",
        "-s",
        str(script),
        address,
    ]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    figures = [re.search(pattern, said) for pattern in (r"Requests/sec:\s+(\S+)", r"50%\s+(\S+)", r"99%\s+(\S+)")]
    rate, median, tail = (found[1] if found else "?" for found in figures)
    errors = "  ERRORS: " + said.partition("Non-2xx")[2].split("\n")[0] if "Non-2xx" in said else ""
    return f"{float(rate):10,.1f}/s   p50 {median:>9}   p99 {tail:>9}{errors}"


def measure(name: str, port: int, path: str, rows: list[dict[str, Any]], seconds: float, folder: Path) -> None:
    one = json.dumps({"features": rows[0]})
    for connections in (1, 16, 64):
        print(
            f"{name:32} single row, {connections:3} connections {loaded(port, path, one, connections, seconds, folder)}"
        )
    if path == "/predict":
        for n, connections in ((100, 4), (10_000, 1)):
            many = json.dumps({"instances": [rows[at % len(rows)] for at in range(n)]})
            told = loaded(port, "/predict/batch", many, connections, seconds, folder)
            print(f"{name:32} batch of {n:6}, {connections} connections {told}")


def settings(folder: Path, mode: str) -> None:
    text = (ROOT / "params.yaml").read_text(encoding="utf-8")
    (folder / "params.yaml").write_text(text.replace("mode: durable", f"mode: {mode}"), encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--models", default=",".join(MODELS))
    words = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "echo.py").write_text(ECHO, encoding="utf-8")
        for model in words.models.split(","):
            rows = project(folder / model.replace(" ", "_"), MODELS[model])
            port = free_port()
            echo = [
                sys.executable,
                "-m",
                "uvicorn",
                "echo:app",
                "--port",
                str(port),
                "--no-access-log",
                "--log-level",
                "error",
            ]
            with running(echo, port, folder):
                measure("bare echo", port, "/", rows, words.seconds, folder)
            for mode in ("durable", "none"):
                home = folder / model.replace(" ", "_")
                settings(home, mode)
                port = free_port()
                command = [sys.executable, "-m", "pipeline.serving", "--state", str(home), "--port", str(port)]
                with running(command, port, home) as (pid, ready_s):
                    measure(f"{model}, log {mode}", port, "/predict", rows, words.seconds, folder)
                    print(f"{model}, log {mode}: ready after {ready_s:.2f} s, {resident_mb(pid):.0f} MB resident")


if __name__ == "__main__":
    main()
