"""Measure the processor time of a prediction with the log on: one to three servers on PostgreSQL, or one on SQLite.

Processor time is independent of other load on the machine. PostgreSQL syncs each commit.
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
    """Return the processor time of a process in seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def backend_pids(address: str) -> list[int]:
    """Return the ids of the PostgreSQL processes that serve clients."""
    query = "SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
    with psycopg.connect(f"{address}/postgres") as connection:
        return [int(row[0]) for row in connection.execute(query)]


def send_predictions(port: int, n: int, failed: list[int]) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    for _ in range(n):
        connection.request("POST", "/predict", BODY, HEADERS)
        response = connection.getresponse()
        response.read()
        if response.status != 200:
            failed.append(response.status)
    connection.close()


def measure_replicas(root: Path, address: str | None, n_servers: int, n: int) -> str:
    with ExitStack() as stack:
        servers = [stack.enter_context(run_server(root)) for _ in range(n_servers)]
        for server in servers:
            send_predictions(server.port, 50, [])
        server_pids, failed = [server.process.pid for server in servers], list[int]()
        database_pids = [] if address is None else backend_pids(address)
        servers_before, database_before = (sum(map(cpu_seconds, pids)) for pids in (server_pids, database_pids))
        clients = [
            threading.Thread(target=send_predictions, args=(server.port, n // N_CLIENTS, failed))
            for server in servers
            for _ in range(N_CLIENTS)
        ]
        for client in clients:
            client.start()
        for client in clients:
            client.join()
        servers_s = sum(map(cpu_seconds, server_pids)) - servers_before
        database_s = sum(map(cpu_seconds, database_pids)) - database_before
    if failed:
        sys.exit(f"{len(failed)} requests failed, the first with {failed[0]}")
    n *= n_servers
    rate = n_servers * n / servers_s
    return (
        f"{n_servers} server(s): {1e6 * servers_s / n:4.0f} microseconds in servers, {1e6 * database_s / n:4.0f} in the"
        f" database per prediction; at most {rate:,.0f} predictions/s with a core for each server"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=8_000, help="requests to each server, over eight connections")
    n, folder = parser.parse_args().requests, postgresql_server.find_server_programs()
    if folder is None:
        sys.exit("PostgreSQL's server is not installed (Debian: apt install postgresql)")
    with tempfile.TemporaryDirectory() as base, postgresql_server.running_server(folder, is_durable=True) as address:
        package = Path(base) / "package"
        train_package(package, MODELS["logistic regression"])
        make_project(Path(base) / "file", [package])
        print("SQLite,", measure_replicas(Path(base) / "file", None, 1, n), flush=True)
        os.environ["MLOPS_STATE_URL"] = postgresql_server.new_database(address)
        make_project(Path(base) / "server", [package])
        for n_servers in (1, 2, 3):
            print("PostgreSQL,", measure_replicas(Path(base) / "server", address, n_servers, n), flush=True)


if __name__ == "__main__":
    main()
