"""What does an answer cost the processor with the log on: one to three servers, on one PostgreSQL, or one on SQLite?

Time of the processor rather than of the clock, so that a machine that others use as well gives the same figures. PostgreSQL syncs each commit.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import sys
import tempfile
import threading
from contextlib import ExitStack
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

import psycopg  # noqa: E402 - needs the path above
from benchmark_setup import MODELS, train_package  # noqa: E402 - needs the path above

from tests.fixtures import postgresql_server  # noqa: E402 - needs the path above
from tests.fixtures.server_process import ROW, make_project, run_server  # noqa: E402 - needs the path above

BODY, HEADERS = json.dumps({"features": ROW}), {"Content-Type": "application/json"}
N_CLIENTS = 8


def cpu_seconds(pid: int) -> float:
    """Return the seconds of the processor that a process has used."""
    words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


def backend_pids(address: str) -> list[int]:
    """Return the processes of a PostgreSQL that work for servers."""
    query = "SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
    with psycopg.connect(f"{address}/postgres") as connection:
        return [int(row[0]) for row in connection.execute(query)]


def send_predictions(port: int, n: int, failed: list[int]) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    for _ in range(n):
        connection.request("POST", "/predict", BODY, HEADERS)
        answer = connection.getresponse()
        answer.read()
        if answer.status != 200:
            failed.append(answer.status)
    connection.close()


def measure_replicas(root: Path, address: str | None, n_servers: int, n: int) -> str:
    with ExitStack() as stack:
        started = [stack.enter_context(run_server(root)) for _ in range(n_servers)]
        for one in started:
            send_predictions(one.port, 50, [])
        pids, failed = [one.process.pid for one in started], list[int]()
        of_database = [] if address is None else backend_pids(address)
        before, below = sum(map(cpu_seconds, pids)), sum(map(cpu_seconds, of_database))
        callers = [
            threading.Thread(target=send_predictions, args=(one.port, n // N_CLIENTS, failed))
            for one in started
            for _ in range(N_CLIENTS)
        ]
        for one in callers:
            one.start()
        for one in callers:
            one.join()
        spent, below = sum(map(cpu_seconds, pids)) - before, sum(map(cpu_seconds, of_database)) - below
    if failed:
        sys.exit(f"{len(failed)} requests failed, the first with {failed[0]}")
    n *= n_servers
    told = f"{1e6 * spent / n:4.0f} microseconds in servers, {1e6 * below / n:4.0f} in the database for each answer"
    return f"{n_servers} server(s): {told}; at most {n_servers * n / spent:,.0f} answers/s with a core for each server"


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--requests", type=int, default=8_000, help="of each server, by eight connections")
    n, folder = arguments.parse_args().requests, postgresql_server.find_server_programs()
    if folder is None:
        sys.exit("PostgreSQL's server is not installed (Debian: apt install postgresql)")
    with tempfile.TemporaryDirectory() as base, postgresql_server.running_server(folder, is_durable=True) as address:
        package = Path(base) / "made"
        train_package(package, MODELS["logistic regression"])
        make_project(Path(base) / "file", [package])
        print("SQLite,", measure_replicas(Path(base) / "file", None, 1, n), flush=True)
        os.environ["MLOPS_STATE_URL"] = postgresql_server.new_database(address)
        make_project(Path(base) / "server", [package])
        for n_servers in (1, 2, 3):
            print("PostgreSQL,", measure_replicas(Path(base) / "server", address, n_servers, n), flush=True)


if __name__ == "__main__":
    main()
