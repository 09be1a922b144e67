"""Measure our server with the log on and off, a bare echo and other servers in one run, and compare with the targets.

    python benchmarks/serving_load.py --seconds 5
    python benchmarks/serving_load.py --peers mlflow,fastapi --models boosting --seconds 2

Needs `wrk`. For each model a project is made in a temporary folder: trained, registered, promoted to Production. Peers
are installed by pip below `~/.cache/declarative-mlops/peers/`; a peer that cannot be installed is left out.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmark_setup import MODELS, PackagedModel, promote_package, train_package
from peer_servers import PEERS, install_peer, installed_version, open_inference_body, save_pipeline
from serving_targets import COLUMN_BATCH, CONNECTIONS, compare_with_targets

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from peer_servers import PeerServer

ROOT = Path(__file__).parents[1]
ECHO_APP = """
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


def make_project(folder: Path, overrides: tuple[str, ...]) -> tuple[str, list[dict[str, Any]]]:
    """Promote a model to Production in a new project, and return its name and rows outside its training."""
    from pipeline.package import PackageStore
    from pipeline.state import open_state

    trained = train_package(folder / "candidate", overrides)
    save_pipeline(folder / "model.joblib", trained.classifier.estimator, trained.train, trained.target)
    package = PackageStore(folder / "state/packages").add(folder / "candidate")
    state = open_state(folder)
    promote_package(state, PackagedModel(trained.name, package, trained.train), folder)
    state.close()
    features = trained.test.drop(columns=trained.target).dropna()  # some peers refuse missing values
    rows: list[dict[str, Any]] = json.loads(features.to_json(orient="records"))
    return trained.name, rows


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass(frozen=True, slots=True)
class RequestBodies:
    """A path and the bodies that are sent to it in turn."""

    path: str
    bodies: list[bytes]


@dataclass(frozen=True, slots=True)
class LoadResult:
    """The result of `wrk`: responses per second, median and 99th percentile in milliseconds, responses without 2xx."""

    rate: float
    p50_ms: float
    p99_ms: float
    errors: str = ""


@dataclass(slots=True)
class ServerResults:
    """All measurements of one server with one model; `load_results` by load and connections."""

    name: str
    load_results: dict[tuple[str, int], LoadResult] = field(default_factory=dict)
    ready_s: float = 0.0
    resident_mb: float = 0.0


@contextmanager
def running_server(command: list[str], port: int, folder: Path, first: RequestBodies) -> Iterator[tuple[int, float]]:
    """Yield the process id and the seconds until the first response."""
    started = time.perf_counter()
    path = f"{Path(command[0]).parent}{os.pathsep}{os.environ['PATH']}"  # a peer may call programs in its folder
    environment = {**os.environ, "PATH": path, "PYTHONPATH": str(ROOT)}
    with (folder / "server.log").open("w") as log:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log, start_new_session=True)
    try:
        while not _accepts_requests(port, first):
            if process.poll() is not None or time.perf_counter() - started > 90:
                output = (folder / "server.log").read_text(errors="replace")[-600:]
                raise RuntimeError(f"{' '.join(command)} does not respond\n{output}")
            time.sleep(0.02)
        yield process.pid, time.perf_counter() - started
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _accepts_requests(port: int, first: RequestBodies) -> bool:
    address = f"http://127.0.0.1:{port}{first.path}"
    request = urllib.request.Request(address, first.bodies[0], {"Content-Type": "application/json"})
    try:
        urllib.request.urlopen(request, timeout=5).close()
    except urllib.error.HTTPError as error:
        if error.code < 500 and error.code != 404:
            raise RuntimeError(f"{address}: {error.code} {error.read()[:600]!r}") from error
        return False
    except OSError:
        return False
    return True


def resident_mb(pid: int) -> float:
    """Return the resident memory of a process and its descendants."""
    children: dict[int, list[int]] = {}
    resident_kb: dict[int, int] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            status = (folder / "status").read_text(encoding="ascii", errors="replace")
            children.setdefault(int(_first_match(r"PPid:\s+(\d+)", status)), []).append(int(folder.name))
            match = re.search(r"VmRSS:\s+(\d+)", status)
            resident_kb[int(folder.name)] = int(match[1]) if match else 0
    pending, total_kb = [pid], 0
    while pending:
        process = pending.pop()
        total_kb += resident_kb.get(process, 0)
        pending += children.get(process, [])
    return total_kb / 1024


def run_load(port: int, requests: RequestBodies, connections: int, seconds: int, folder: Path) -> LoadResult:
    """Send bodies in turn by `wrk`."""
    for number, body in enumerate(requests.bodies):
        (folder / f"body{number}").write_bytes(body)
    script = folder / "post.lua"
    script.write_text(
        f"""local made, at = {{}}, 0
        function init(args)
          for i = 0, {len(requests.bodies) - 1} do
            local file = io.open("{folder}/body" .. i, "rb")
            made[i] = wrk.format("POST", "{requests.path}", {{["Content-Type"] = "application/json"}}, file:read("*a"))
            file:close()
          end
        end
        function request() at = (at + 1) % {len(requests.bodies)}; return made[at] end""",
        encoding="utf-8",
    )
    options = ["-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "30s", "--latency", "-s", str(script)]
    output = subprocess.run(
        ["wrk", *options, f"http://127.0.0.1:{port}"], capture_output=True, text=True, check=True
    ).stdout
    errors = (
        output.partition("Non-2xx or 3xx responses: ")[2].split("\n")[0]
        or output.partition("Socket errors: ")[2].split("\n")[0]
    )
    return LoadResult(
        float(_first_match(r"Requests/sec:\s+(\S+)", output)),
        _latency_ms("50%", output),
        _latency_ms("99%", output),
        errors,
    )


def _first_match(pattern: str, output: str) -> str:
    match = re.search(pattern, output)
    return match[1] if match else "nan"


def _latency_ms(share: str, output: str) -> float:
    match = re.search(rf"{share}\s+([\d.]+)(us|ms|s|m)\b", output)
    return float(match[1]) * {"us": 0.001, "ms": 1.0, "s": 1000.0, "m": 60_000.0}[match[2]] if match else float("nan")


def measure_server(
    name: str, start: list[str], port: int, folder: Path, requests: dict[str, RequestBodies], seconds: int
) -> ServerResults:
    """Start a server, measure each load of `requests`, and stop the server."""
    results = ServerResults(name)
    with running_server(start, port, folder, requests["1"]) as (pid, ready_s):
        results.ready_s = ready_s
        for load, bodies in requests.items():
            for connections in CONNECTIONS[load]:
                result = run_load(port, bodies, connections, seconds, folder)
                results.load_results[load, connections] = result
                print(
                    f"{name:18} {load:>17} rows, {connections:2} connections {result.rate:10,.1f}/s"
                    f"   p50 {result.p50_ms:9.2f} ms   p99 {result.p99_ms:9.2f} ms"
                    f"{result.errors and '   ERRORS: ' + result.errors}",
                    flush=True,
                )
        results.resident_mb = resident_mb(pid)
    print(f"{name:24} ready after {results.ready_s:.2f} s, {results.resident_mb:.0f} MB resident", flush=True)
    return results


def request_bodies(
    rows: list[dict[str, Any]],
    row_request: tuple[str, Callable[[Any], Any]],
    batch_request: tuple[str, Callable[[Any], Any]],
) -> dict[str, RequestBodies]:
    """Return the bodies by load: 500 different rows in turn, and batches."""
    single_rows = {"1": RequestBodies(row_request[0], [json.dumps(row_request[1](row)).encode() for row in rows[:500]])}
    return {
        **single_rows,
        "100": batch_bodies(rows, 100, batch_request),
        "10,000": batch_bodies(rows, 10_000, batch_request),
    }


def batch_bodies(rows: list[dict[str, Any]], n: int, batch_request: tuple[str, Callable[[Any], Any]]) -> RequestBodies:
    batches = [[rows[(start + offset) % len(rows)] for offset in range(n)] for start in range(4)]
    return RequestBodies(batch_request[0], [json.dumps(batch_request[1](batch)).encode() for batch in batches])


def write_settings(folder: Path, mode: str, cached_rows: int) -> None:
    text = (ROOT / "params.yaml").read_text(encoding="utf-8").replace("mode: durable", f"mode: {mode}")
    (folder / "params.yaml").write_text(
        re.sub(r"prediction_cache_rows: \d+", f"prediction_cache_rows: {cached_rows}", text), encoding="utf-8"
    )


def measure_engine(
    home: Path, model: str, rows: list[dict[str, Any]], args: argparse.Namespace
) -> dict[str, ServerResults]:
    """Measure the echo, and our server with the log on and off; large batches also in the Open Inference Protocol."""
    requests = request_bodies(
        rows, ("/predict", lambda row: {"features": row}), ("/predict/batch", lambda batch: {"instances": batch})
    )
    requests[COLUMN_BATCH] = batch_bodies(
        rows, 10_000, (f"/v2/models/{model}/infer", partial(open_inference_body, output="probabilities"))
    )
    port = free_port()
    echo = [sys.executable, "-m", "uvicorn", "echo:app", "--port", str(port), "--no-access-log", "--log-level", "error"]
    (home / "echo.py").write_text(ECHO_APP, encoding="utf-8")
    results = {"echo": measure_server("bare echo", echo, port, home, {"1": requests["1"]}, args.seconds)}
    for mode, name in (("durable", "log on"), ("none", "log off")):
        write_settings(home, mode, args.cached_rows)
        port = free_port()
        command = [sys.executable, "-m", "pipeline.serving", "--state", str(home), "--port", str(port)]
        results[name] = measure_server(f"ours, {name}", command, port, home, requests, args.seconds)
    return results


def measure_peer(peer: PeerServer, home: Path, rows: list[dict[str, Any]], seconds: int) -> ServerResults | None:
    """Measure a peer; print the reason and return None when it does not start."""
    port = free_port()
    try:
        return measure_server(
            peer.name,
            peer.start_command(home, port),
            port,
            home,
            request_bodies(rows, peer.row_request, peer.batch_request),
            seconds,
        )
    except (RuntimeError, subprocess.CalledProcessError) as error:
        print(f"{peer.name}: left out ({error}) {getattr(error, 'stderr', b'') or b''!r}", flush=True)
        return None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=5, help="duration of each measurement")
    parser.add_argument("--models", default=",".join(MODELS), help="names, separated by commas")
    parser.add_argument("--peers", default=",".join(PEERS), help="names, separated by commas; empty for none")
    parser.add_argument(
        "--cached-rows",
        type=int,
        default=10_000,
        help="serving.engine.prediction_cache_rows of our server; 0 for no cache",
    )
    args = parser.parse_args()
    sys.path.remove(str(Path(__file__).parent))  # a script in this folder has the name of a library
    peers = [PEERS[name] for name in args.peers.split(",") if name]
    for peer in list(peers):
        if reason := install_peer(peer):
            print(f"{peer.name}: left out, the installation failed ({reason})")
            peers.remove(peer)
    print("; ".join(f"{peer.name} {installed_version(peer)}" for peer in peers))
    with tempfile.TemporaryDirectory() as name:
        for model in args.models.split(","):
            print(f"\n{model}", flush=True)
            home = Path(name) / model.replace(" ", "_")
            model_name, rows = make_project(home, MODELS[model])
            ours = measure_engine(home, model_name, rows, args)
            peer_results = [measure_peer(peer, home, rows, args.seconds) for peer in peers]
            for line in compare_with_targets(ours, [results for results in peer_results if results is not None]):
                print(line, flush=True)


if __name__ == "__main__":
    main()
