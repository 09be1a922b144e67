"""Measure the latency of admitted requests while ten times the usual number of clients overloads the server.

    python benchmarks/overload.py --seconds 60

Needs `wrk`. `--connections` clients that send requests without a pause fill the server, and it sheds none of them. Then
ten times as many clients do the same, and ignore Retry-After. In both cases paced clients send a request every 20 ms,
and a probe opens a connection for each `/livez`.
"""

from __future__ import annotations

import argparse
import http.client
import json
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

from serving_load import MODELS, ROOT, RequestBodies, free_port, make_project, running_server

_JSON_HEADERS = {"Content-Type": "application/json"}
_N_PACED_CLIENTS = 4
_PAUSE_S = 0.02
_WRK_SCRIPT = """
local threads = {}
function setup(thread) table.insert(threads, thread) end
function init(args)
  shed, other = 0, 0
  local file = io.open("BODY", "rb")
  made = wrk.format("POST", "/predict", {["Content-Type"] = "application/json"}, file:read("*a"))
  file:close()
end
function request() return made end
function response(status, headers, body)
  if status == 503 or status == 429 then
    if headers["retry-after"] then shed = shed + 1 else other = other + 1 end
  elseif status ~= 200 then other = other + 1 end
end
function done(summary, latency, requests)
  local shed, other = 0, 0
  for _, thread in ipairs(threads) do shed = shed + thread:get("shed"); other = other + thread:get("other") end
  local errors = summary.errors
  local lost = errors.connect + errors.read + errors.write + errors.timeout
  io.write(string.format("ALL %d SHED %d OTHER %d LOST %d\\n", summary.requests, shed, other, lost))
end
"""


@dataclass(slots=True)
class OverloadResult:
    """Latencies of paced clients and probes in milliseconds, their statuses, and the counts of the load clients."""

    admitted_ms: list[float] = field(default_factory=list)
    probe_ms: list[float] = field(default_factory=list)
    statuses: dict[int, int] = field(default_factory=dict)
    load_counts: dict[str, int] = field(default_factory=dict)


def send_paced_requests(port: int, body: bytes, result: OverloadResult, stop_event: threading.Event) -> None:
    """Send prediction requests with a pause in between."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    while not stop_event.is_set():
        started = time.perf_counter()
        connection.request("POST", "/predict", body, _JSON_HEADERS)
        response = connection.getresponse()
        response.read()
        latency_ms = (time.perf_counter() - started) * 1000
        if response.status == 200:
            result.admitted_ms.append(latency_ms)
        elif response.headers["Retry-After"] is None:
            raise SystemExit(f"{response.status} without Retry-After")
        result.statuses[response.status] = result.statuses.get(response.status, 0) + 1
        stop_event.wait(_PAUSE_S)
    connection.close()


def probe_liveness(port: int, result: OverloadResult, stop_event: threading.Event) -> None:
    """Send liveness probes, each on a new connection."""
    while not stop_event.is_set():
        started = time.perf_counter()
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        connection.request("GET", "/livez")
        if connection.getresponse().status != 200:
            raise SystemExit("/livez did not return 200")
        connection.close()
        result.probe_ms.append((time.perf_counter() - started) * 1000)
        stop_event.wait(_PAUSE_S)


def run_overload(port: int, body: bytes, connections: int, seconds: int, folder: Path) -> OverloadResult:
    """Send requests without a pause from many connections, with paced clients and a probe beside them."""
    result, stop_event = OverloadResult(), threading.Event()
    (folder / "body").write_bytes(body)
    (folder / "load.lua").write_text(_WRK_SCRIPT.replace("BODY", str(folder / "body")), encoding="utf-8")
    options = ["-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "30s", "-s", str(folder / "load.lua")]
    command = ["wrk", *options, f"http://127.0.0.1:{port}"]
    load = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    time.sleep(0.5)
    threads = [
        threading.Thread(target=send_paced_requests, args=(port, body, result, stop_event))
        for _ in range(_N_PACED_CLIENTS)
    ]
    threads.append(threading.Thread(target=probe_liveness, args=(port, result, stop_event)))
    for thread in threads:
        thread.start()
    time.sleep(seconds - 1)
    stop_event.set()
    for thread in threads:
        thread.join()
    output = load.communicate()[0]
    result.load_counts = {word.lower(): int(count) for word, count in re.findall(r"([A-Z]+) (\d+)", output)}
    return result


def print_result(name: str, result: OverloadResult, seconds: int) -> float:
    """Print the result and return the 99th percentile of the admitted paced requests."""
    admitted, probes = (statistics.quantiles(times, n=100) for times in (result.admitted_ms, result.probe_ms))
    counts = result.load_counts
    n_completed = counts["all"] - counts["shed"] - counts["other"]
    print(
        f"{name:12} load: {n_completed / seconds:,.0f} completed/s, {counts['shed'] / seconds:,.0f} shed/s,"
        f" {counts['other']} other,"
        f" {counts['lost']} lost; paced clients {result.statuses}: p50 {admitted[49]:.1f}, p99 {admitted[98]:.1f} ms;"
        f" livez p50 {probes[49]:.1f}, p99 {probes[98]:.1f} ms",
        flush=True,
    )
    return admitted[98]


def memory_mb(pid: int) -> tuple[float, float]:
    """Return the present and the peak resident memory of a process."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace")
    present, peak = (int(re.findall(rf"{name}:\s+(\d+)", status)[0]) / 1024 for name in ("VmRSS", "VmHWM"))
    return present, peak


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--seconds",
        type=int,
        default=60,
        help="duration of the overload; the usual load runs half as long before and after it",
    )
    parser.add_argument("--connections", type=int, default=96, help="connections of the usual load")
    args = parser.parse_args()
    sys.path.remove(str(Path(__file__).parent))  # a script in this folder has the name of a library
    with tempfile.TemporaryDirectory() as name:
        home = Path(name) / "home"
        _, rows = make_project(home, MODELS["logistic regression"])
        (home / "params.yaml").write_bytes((ROOT / "params.yaml").read_bytes())
        body, port = json.dumps({"features": rows[0]}).encode(), free_port()
        command = [sys.executable, "-m", "pipeline.serving", "--state", str(home), "--port", str(port)]
        with running_server(command, port, home, RequestBodies("/predict", [body])) as (pid, _):
            usual_s, latencies_ms = args.seconds // 2, []
            for kind, factor, seconds in (("usual", 1, usual_s), ("10 times", 10, args.seconds), ("usual", 1, usual_s)):
                result = run_overload(port, body, args.connections * factor, seconds, home)
                latencies_ms.append(print_result(kind, result, seconds))
                print("             resident {:.0f} MB, peak {:.0f} MB".format(*memory_mb(pid)), flush=True)
    ratio = latencies_ms[1] / statistics.mean([latencies_ms[0], latencies_ms[2]])
    print(f"admitted p99 under overload / usual: {ratio:.2f}")


if __name__ == "__main__":
    main()
