"""Ten times as many clients as are welcome, none of which waits when told to: what becomes of those who are let in.

    python benchmarks/overload.py --seconds 60

Needs `wrk`. The server is full but sheds nobody with `--connections` clients that ask without a pause, and is asked
by ten times as many after that. Visitors of their own, who come back every 20 ms, are timed in both cases, and a probe
that opens a connection for each `/livez`.
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
    """What visitors and probes met, times in milliseconds, and what the crowd was told, by number of answers."""

    admitted_ms: list[float] = field(default_factory=list)
    probe_ms: list[float] = field(default_factory=list)
    statuses: dict[int, int] = field(default_factory=dict)
    load_counts: dict[str, int] = field(default_factory=dict)


def send_paced_requests(port: int, body: bytes, result: OverloadResult, is_over: threading.Event) -> None:
    """Ask for a prediction again and again, with a pause."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    while not is_over.is_set():
        began = time.perf_counter()
        connection.request("POST", "/predict", body, _JSON_HEADERS)
        answer = connection.getresponse()
        answer.read()
        took = (time.perf_counter() - began) * 1000
        if answer.status == 200:
            result.admitted_ms.append(took)
        elif answer.headers["Retry-After"] is None:
            raise SystemExit(f"{answer.status} without Retry-After")
        result.statuses[answer.status] = result.statuses.get(answer.status, 0) + 1
        is_over.wait(_PAUSE_S)
    connection.close()


def probe_liveness(port: int, result: OverloadResult, is_over: threading.Event) -> None:
    """Ask whether the server lives, each time on a new connection."""
    while not is_over.is_set():
        began = time.perf_counter()
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        connection.request("GET", "/livez")
        if connection.getresponse().status != 200:
            raise SystemExit("/livez was not answered with 200")
        connection.close()
        result.probe_ms.append((time.perf_counter() - began) * 1000)
        is_over.wait(_PAUSE_S)


def run_overload(port: int, body: bytes, connections: int, seconds: int, folder: Path) -> OverloadResult:
    """Let a crowd ask without a pause, and visitors beside it."""
    seen, is_over = OverloadResult(), threading.Event()
    (folder / "body").write_bytes(body)
    (folder / "crowd.lua").write_text(_WRK_SCRIPT.replace("BODY", str(folder / "body")), encoding="utf-8")
    words = ["-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "30s", "-s", str(folder / "crowd.lua")]
    command = ["wrk", *words, f"http://127.0.0.1:{port}"]
    crowd = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    time.sleep(0.5)
    threads = [
        threading.Thread(target=send_paced_requests, args=(port, body, seen, is_over)) for _ in range(_N_PACED_CLIENTS)
    ]
    threads.append(threading.Thread(target=probe_liveness, args=(port, seen, is_over)))
    for thread in threads:
        thread.start()
    time.sleep(seconds - 1)
    is_over.set()
    for thread in threads:
        thread.join()
    said = crowd.communicate()[0]
    seen.load_counts = {word.lower(): int(count) for word, count in re.findall(r"([A-Z]+) (\d+)", said)}
    return seen


def print_result(name: str, result: OverloadResult, seconds: int) -> float:
    """Print what was seen and return the 99th percentile of admitted visitors."""
    admitted, probes = (statistics.quantiles(times, n=100) for times in (result.admitted_ms, result.probe_ms))
    crowd = result.load_counts
    answered = crowd["all"] - crowd["shed"] - crowd["other"]
    print(
        f"{name:12} crowd: {answered / seconds:,.0f} answered/s, {crowd['shed'] / seconds:,.0f} shed/s, {crowd['other']} other,"
        f" {crowd['lost']} lost; visitors {result.statuses}: p50 {admitted[49]:.1f}, p99 {admitted[98]:.1f} ms;"
        f" livez p50 {probes[49]:.1f}, p99 {probes[98]:.1f} ms",
        flush=True,
    )
    return admitted[98]


def memory_mb(pid: int) -> tuple[float, float]:
    """Return the resident memory of a process now and at its highest."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace")
    now, highest = (int(re.findall(rf"{word}:\s+(\d+)", status)[0]) / 1024 for word in ("VmRSS", "VmHWM"))
    return now, highest


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=60, help="of overload; half of it before and after as usual")
    parser.add_argument("--connections", type=int, default=96, help="of the usual crowd")
    words = parser.parse_args()
    sys.path.remove(str(Path(__file__).parent))  # a script beside this one is called as the library is
    with tempfile.TemporaryDirectory() as name:
        home = Path(name) / "home"
        _, rows = make_project(home, MODELS["logistic regression"])
        (home / "params.yaml").write_bytes((ROOT / "params.yaml").read_bytes())
        body, port = json.dumps({"features": rows[0]}).encode(), free_port()
        command = [sys.executable, "-m", "pipeline.serving", "--state", str(home), "--port", str(port)]
        with running_server(command, port, home, RequestBodies("/predict", [body])) as (pid, _):
            usual, times = words.seconds // 2, []
            for kind, factor, seconds in (("usual", 1, usual), ("10 times", 10, words.seconds), ("usual", 1, usual)):
                seen = run_overload(port, body, words.connections * factor, seconds, home)
                times.append(print_result(kind, seen, seconds))
                print("             resident {:.0f} MB, at the highest {:.0f} MB".format(*memory_mb(pid)), flush=True)
    print(f"admitted p99 under overload / usual: {times[1] / statistics.mean([times[0], times[2]]):.2f}")


if __name__ == "__main__":
    main()
