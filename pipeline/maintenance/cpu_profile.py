"""Profile the processor time of a stage, or of the server under load, as a flame graph in one SVG file.

py-spy samples the process from outside a hundred times a second, so the profiled code runs unchanged.
"""

from __future__ import annotations

import json
import subprocess
import sys
import sysconfig
import threading
import time
import urllib.request
from collections import deque
from contextlib import contextmanager
from pathlib import Path
from subprocess import DEVNULL, PIPE
from typing import TYPE_CHECKING, Any

from pipeline.errors import DependencyUnavailable, UsageError
from pipeline.project.engine_files import stage_module, stages_folder

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["profile_server", "profile_stage", "stage_names"]

_SAMPLES_PER_S = 100
_N_CLIENTS = 8
_PERMISSION_ERRORS = ("Permission denied", "Operation not permitted", "CAP_SYS_PTRACE")


def stage_names() -> list[str]:
    """Return the names of the stages, as in `python -m stages.NAME`."""
    return sorted(path.stem for path in stages_folder().glob("*.py") if path.stem != "__init__")


def profile_stage(name: str, output: Path) -> None:
    """Run a stage as DVC does and write its profile; a failed stage gives a profile up to the failure.

    Raises
    ------
    UsageError
        When the stage does not exist.
    DependencyUnavailable
        When py-spy is not installed, or is not allowed to read other processes.
    """
    if name not in stage_names():
        raise UsageError(f"{name!r} is not a stage; expected serve, or one of {', '.join(stage_names())}")
    arguments = [] if name == "compose" else ["-cd", ".", "-cn", "params"]
    command = [sys.executable, "-m", stage_module(name), *arguments]
    recording = [*_record_command(output), "--", *command]
    done = subprocess.run(recording, stderr=PIPE, text=True, check=False)  # noqa: S603 - our command
    _check_recording(done.returncode, done.stderr, output)
    # Output of the stage; py-spy does not pass on its exit code.
    sys.stderr.writelines(f"{line}\n" for line in done.stderr.splitlines() if not line.startswith("py-spy>"))


def profile_server(output: Path, seconds: float) -> float:
    """Profile a server of the Production version on a free port under a load of golden rows.

    Predictions are logged under the subject `mlops-profile`.

    Returns
    -------
    float
        Responses per second.

    Raises
    ------
    DependencyUnavailable
        When py-spy is not installed or not allowed to read other processes, or the server does not start.
    """
    recording = _record_command(output)
    with _running_server() as (process, address):
        body = json.dumps({"features": _first_golden_row(address)}).encode()
        spying = [*recording, "--duration", str(max(1, round(seconds))), "--pid", str(process.pid)]
        spy = subprocess.Popen(spying, stdout=DEVNULL, stderr=PIPE, text=True)  # noqa: S603 - our command
        n_responses, took_s, stderr = _generate_load(address, body, spy)
    _check_recording(spy.returncode, stderr, output)
    return n_responses / took_s


def _record_command(output: Path) -> list[str]:
    spy = Path(sysconfig.get_path("scripts")) / "py-spy"
    if not spy.exists():
        raise DependencyUnavailable("py-spy is not installed; run pip install 'declarative-mlops[profile]'")
    return [str(spy), "record", "--rate", str(_SAMPLES_PER_S), "--threads", "--output", str(output)]


def _check_recording(code: int, stderr: str, output: Path) -> None:
    if any(phrase in stderr for phrase in _PERMISSION_ERRORS):
        raise DependencyUnavailable(
            "py-spy is not allowed to read other processes; run the command as root, or give the container the"
            " capability SYS_PTRACE, or allow it until the next start: sysctl kernel.yama.ptrace_scope=0"
        )
    if not output.is_file():
        raise DependencyUnavailable(f"py-spy wrote nothing (exit code {code}): {stderr.strip()[-500:]}")


@contextmanager
def _running_server() -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Yield a server of this project and its address."""
    arguments = ("--host", "127.0.0.1", "--port", "0", "--authentication", "none")
    command = [sys.executable, "-m", "pipeline.serving", *arguments]
    with subprocess.Popen(command, stderr=PIPE, stdout=DEVNULL, text=True) as process:  # noqa: S603 - our command
        # Later output is read and dropped: a full pipe would block the server.
        drain = threading.Thread(target=deque, args=(process.stderr, 0), daemon=True)
        try:
            address = _wait_for_address(process)
            drain.start()
            yield process, address
        finally:
            process.terminate()
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()
            if drain.ident is not None:
                drain.join(timeout=5)


def _wait_for_address(process: subprocess.Popen[str]) -> str:
    """Wait for the log line with the address of the ready server."""
    lines = []
    for line in process.stderr or ():
        lines.append(line)
        if '"listening"' not in line:
            continue
        event = json.loads(line)
        if not event["ready"]:
            raise DependencyUnavailable(f"the server has no model to serve: {event['reason']}")
        return str(event["address"])
    raise DependencyUnavailable(f"the server did not start: {''.join(lines).strip()[-500:]}")


def _first_golden_row(address: str) -> dict[str, Any]:
    """Return the first golden row of the served version."""
    from pipeline.package import PackageStore
    from pipeline.project import paths
    from pipeline.project.root import find_state_root

    with urllib.request.urlopen(f"{address}/v1/models", timeout=10) as response:  # noqa: S310 - our own  # nosec B310
        digest = json.load(response)["active"]["model_digest"]
    golden = json.loads((PackageStore(find_state_root() / paths.PACKAGES).path(digest) / "golden.json").read_bytes())
    return {name: values[0] for name, values in golden["columns"].items()}


def _generate_load(address: str, body: bytes, spy: subprocess.Popen[str]) -> tuple[int, float, str]:
    """Send requests until py-spy ends; return number of responses, seconds, and the output of py-spy."""
    counts = [0] * _N_CLIENTS
    is_over = threading.Event()

    def ask(at: int) -> None:
        import http.client

        connection = http.client.HTTPConnection(address.removeprefix("http://"), timeout=10)
        headers = {"Content-Type": "application/json", "X-Subject-Id": "mlops-profile"}
        while not is_over.is_set():
            connection.request("POST", "/predict", body, headers)
            response = connection.getresponse()
            response.read()
            counts[at] += response.status == 200
        connection.close()

    clients = [threading.Thread(target=ask, args=(at,), daemon=True) for at in range(_N_CLIENTS)]
    began = time.monotonic()
    for client in clients:
        client.start()
    _, stderr = spy.communicate()
    is_over.set()
    took_s = time.monotonic() - began
    for client in clients:
        client.join(timeout=10)
    return sum(counts), took_s, stderr
