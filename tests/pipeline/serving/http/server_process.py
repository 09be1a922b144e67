"""Start the serving process for real, on a project with a trained package, and talk HTTP to it."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import httpx

from pipeline import files
from pipeline.config.composition import compose
from pipeline.registry import ModelRegistry
from tests.pipeline.toy_dataset import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["MODEL_NAME", "ROW", "RunningServer", "make_project", "run_server"]

MODEL_NAME = "personality_model"
ROW = {
    "Time_spent_Alone": 4,
    "Stage_fear": "No",
    "Social_event_attendance": 4,
    "Going_outside": 4,
    "Drained_after_socializing": "No",
    "Friends_circle_size": 6,
    "Post_frequency": 3,
}
_START_TIMEOUT_S = 30


def make_project(root: Path, packages: list[Path], *overrides: str) -> None:
    """Write settings, register packages, and put the first of them into Production."""
    root.mkdir(parents=True, exist_ok=True)
    values = compose(overrides, conf=ROOT / "conf").values
    files.write_text(root / "params.yaml", json.dumps(values))
    (root / "dvc.yaml").touch()
    registry = ModelRegistry(root, tracking_uri="http://127.0.0.1:1")
    for package in packages:
        registry.register_model(str(package), MODEL_NAME)
    registry.promote_model(MODEL_NAME, 1, "Production", force=True, reason="for a test")


@dataclass
class RunningServer:
    """A server that answers."""

    process: subprocess.Popen[str]
    address: str
    root: Path
    lines: list[dict[str, Any]] = field(default_factory=list)

    @property
    def port(self) -> int:
        return int(self.address.rpartition(":")[2])

    def client(self, **options: Any) -> httpx.Client:
        return httpx.Client(base_url=self.address, timeout=10, **options)

    def stop(self) -> int:
        """Ask it to stop, and return its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=20)


@contextmanager
def run_server(
    root: Path, *words: str, program: tuple[str, ...] = ("-m", "pipeline.serving"), **environment: str
) -> Iterator[RunningServer]:
    """Yield a started server; it is stopped at the end."""
    log = (root / "server.log").open("w+", encoding="utf-8")
    process = subprocess.Popen(
        [sys.executable, *program, "--model-name", MODEL_NAME, "--port", "0", *words],
        cwd=root,
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "MLFLOW_TRACKING_URI": "http://127.0.0.1:1", **environment},
    )
    try:
        started = _wait_for_address(process)
        server = RunningServer(process, started["address"], root, [started])
        # What the server says later goes to a file, so that a full pipe never holds it up.
        drain = subprocess.Popen(["cat"], stdin=process.stderr, stdout=log)
        yield server
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        try:
            process.wait(timeout=20)
        finally:
            process.kill()
            if process.stderr is not None:
                process.stderr.close()
            if "drain" in locals():
                drain.wait(timeout=10)
            log.close()


def _wait_for_address(process: subprocess.Popen[str], timeout_s: float = _START_TIMEOUT_S) -> dict[str, Any]:
    """Wait for the line that tells the address."""
    assert process.stderr is not None
    deadline = time.monotonic() + timeout_s
    seen = []
    while time.monotonic() < deadline:
        ready, _, _ = select.select([process.stderr], [], [], 0.2)
        if not ready:
            continue
        line = process.stderr.readline()
        if not line:
            process.wait(timeout=10)  # it closed its end, and is about to be gone
            break
        seen.append(line)
        if '"listening"' in line:
            found: dict[str, Any] = json.loads(line)
            return found
    raise AssertionError(f"the server did not start: exit {process.poll()}, said {''.join(seen)}")
