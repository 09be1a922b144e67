"""Measure the app in a browser beside a page of one title and one metric, with an empty log and with a long one.

A small project is built, copied, and its copy's log filled; chromium opens both. `--project` names an existing one.
"""

from __future__ import annotations

import argparse
import json
import sqlite3
import sys
import tempfile
import time
from contextlib import closing, contextmanager
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from app.navigation import PAGES as ENTRIES  # noqa: E402 - needs the path above
from pipeline import state as store  # noqa: E402 - needs the path above
from pipeline.files import read_parquet  # noqa: E402 - needs the path above
from pipeline.monitoring import roll_up  # noqa: E402 - needs the path above
from pipeline.project import paths  # noqa: E402 - needs the path above
from tests.app.browser import (  # noqa: E402 - needs the path above
    browser_page,
    free_port,
    running_app_process,
    wait_until_ready,
)
from tests.fixtures import workspace  # noqa: E402 - needs the path above
from tests.pipeline.monitoring.log_fixtures import MODEL_NAME, production_package  # noqa: E402 - needs the path above

if TYPE_CHECKING:
    from collections.abc import Iterator
    from subprocess import Popen

ADDRESSES = {entry.title: entry.name for entry in ENTRIES if entry.section}
PAGES = tuple(ADDRESSES)
SLOWEST_RATIO, SLOWEST_SWITCH_S, SLOWEST_VISIT_S, SLOWEST_FORM_MS, LARGEST_MB = 1.3, 0.3, 0.8, 150, 500
SLOWEST_LONG_LOG = 1.5
PLAIN_PAGE = 'import streamlit as st\nst.title("Overview")\nst.metric("Predictions", 1)\n'
_METRIC = "[data-testid='stMetric']"
DAYS, ROUNDS, SESSIONS = 30, 5, 20
# A rendered page has its title, its script has ended, nothing in sight is busy or a chart without its canvas.
_PAGE_IS_RENDERED = """title => {
  const head = document.querySelector('h1'), app = document.querySelector('[data-testid="stApp"]');
  const inSight = query => [...document.querySelectorAll(query)]
    .filter(e => e.getClientRects().length && e.offsetWidth);
  return head && head.innerText.includes(title) && app.dataset.testScriptState === 'notRunning'
    && !inSight("[data-testid='stSkeleton'], [data-testid='stSpinner'], [data-stale='true']").length
    && inSight('[data-testid="stVegaLiteChart"]').every(e => e.querySelector('canvas, svg'));
}"""
_HAS_NEW_PREDICTION_ID = (
    "before => [...document.querySelectorAll('code')]"
    ".some(e => e.innerText.length === 36 && !before.includes(e.innerText))"
)
_PREDICTION_IDS = "() => [...document.querySelectorAll('code')].map(e => e.innerText)"


def fill_log(root: Path, n: int) -> None:
    """Log rows evenly over thirty days until now, and roll them up as a monitor does in the meantime.

    Some thousand rows are logged as a server does it; SQLite itself repeats them with other moments and identifiers.
    """
    package, version = production_package(root)
    frame = read_parquet(root / "data/train.parquet").head(n)
    state = store.open_state(root)
    journal = store.PredictionWriter(state)
    journal.write(_prediction_rows(package, version, frame))
    journal.close()
    state.close()
    with closing(sqlite3.connect(root / paths.STATE_DATABASE)) as connection:
        _repeat_rows(connection, n, len(frame))
    state = store.open_state(root)
    roll_up(state, MODEL_NAME, lambda _: package)
    state.close()


def _prediction_rows(package: Any, version: int, frame: Any) -> list[store.PredictionRow]:
    names = list(package.schema.feature_names)
    features = [json.dumps(row) for row in json.loads(frame[names].to_json(orient="records"))]
    shares = [dict(zip(package.classes, row, strict=True)) for row in package.predict_proba(frame).tolist()]
    start = time.time_ns() // 1000 - DAYS * store.DAY_US
    return [
        store.PredictionRow(
            prediction_id=f"p{i}",
            predicted_at=start + i,
            model=MODEL_NAME,
            version=version,
            digest=package.digest,
            generation=1,
            features=features[i],
            prediction=str(label),
            probabilities=json.dumps(shares[i]),
            confidence=shares[i][str(label)],
            served_by="production",
            variant="champion",
            source="api",
            latency_us=900 + i,
            weight=1.0,
            idempotency_key=None,
            subject=None,
        )
        for i, label in enumerate(package.predict(frame))
    ]


def _repeat_rows(connection: sqlite3.Connection, n: int, n_logged: int) -> None:
    """Repeat the first rows until there are n, all moments evenly over the thirty days."""
    names = [row[1] for row in connection.execute("PRAGMA table_info(predictions)")]
    first, start = connection.execute("SELECT min(seq), min(predicted_at) FROM predictions").fetchone()
    step = DAYS * store.DAY_US / n
    changed = {
        "seq": f"b.seq + r.k * {n_logged}",
        "predicted_at": f"CAST({start} + (b.seq - {first} + r.k * {n_logged}) * {step} AS INTEGER)",
        "prediction_id": "b.prediction_id || '-' || r.k",
    }
    values = ", ".join(changed.get(name, f"b.{name}") for name in names)
    connection.execute("PRAGMA synchronous=OFF")
    with connection:
        connection.execute(
            f"WITH RECURSIVE r(k) AS (SELECT 1 UNION ALL SELECT k + 1 FROM r WHERE k < {-(-n // n_logged)})"
            f" INSERT INTO predictions ({', '.join(names)}) SELECT {values} FROM r CROSS JOIN predictions b"
            f" WHERE b.seq < {first + n_logged} AND b.seq - {first} + r.k * {n_logged} < {n} ORDER BY r.k, b.seq"
        )
        connection.execute(
            f"UPDATE predictions SET predicted_at = CAST({start} + (seq - {first}) * {step} AS INTEGER)"
            f" WHERE seq < {first + n_logged}"
        )
        connection.execute("UPDATE counters SET value = (SELECT max(seq) FROM predictions) WHERE name = 'predictions'")


def seconds_since(start: float) -> float:
    return time.perf_counter() - start


def wait_until_rendered(page: Any, title: str, started: float) -> float:
    page.wait_for_function(_PAGE_IS_RENDERED, arg=title, polling=20)
    return seconds_since(started)


def switch_page(page: Any, title: str) -> float:
    started = time.perf_counter()
    page.get_by_test_id("stSidebar").get_by_role("link", name=title, exact=True).click()
    return wait_until_rendered(page, title, started)


def submit_form(page: Any, rounds: int) -> Iterator[float]:
    """Yield how long each prediction of the form takes from the click until it is on the page."""
    switch_page(page, "Predict")
    page.get_by_text("Log this prediction").click()  # its ID appears on the page
    page.wait_for_function(_PAGE_IS_RENDERED, arg="Predict", polling=20)
    for _ in range(rounds + 1):
        before = page.evaluate(_PREDICTION_IDS)
        started = time.perf_counter()
        page.get_by_test_id("stFormSubmitButton").get_by_role("button").click()
        page.wait_for_function(_HAS_NEW_PREDICTION_ID, arg=before, polling=10)
        yield seconds_since(started)
        page.wait_for_function(_PAGE_IS_RENDERED, arg="Predict", polling=20)


def resident_mb(process: Popen[str]) -> float:
    status = Path(f"/proc/{process.pid}/status").read_text(encoding="utf-8")
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024


def first_metrics(address: str) -> float:
    """Return how long a new browser takes until it shows the first metric."""
    with browser_page() as page:
        started = time.perf_counter()
        page.goto(address)
        page.locator(_METRIC).first.wait_for()
        return seconds_since(started)


@contextmanager
def plain_page(project: workspace.Workspace, folder: Path) -> Iterator[str]:
    """Serve a page of one title and one metric; yield its address."""
    script, port = folder / "plain.py", free_port()
    script.write_text(PLAIN_PAGE, encoding="utf-8")
    process = project.start(sys.executable, "-m", "streamlit", "run", str(script), "--server.port", str(port))
    try:
        wait_until_ready(f"http://127.0.0.1:{port}/_stcore/health", process)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.communicate(timeout=30)


def measure_beside_plain_page(project: workspace.Workspace, folder: Path, rounds: int) -> dict[str, list[float]]:
    """Return the seconds until the first metrics of both pages, in turns and each time in a new browser."""
    seconds: dict[str, list[float]] = {"app": [], "plain": []}
    with plain_page(project, folder) as plain, running_app_process(project) as (address, _):
        for _ in range(rounds):
            seconds["plain"].append(first_metrics(plain))
            seconds["app"].append(first_metrics(address))
    return seconds


def measure(project: workspace.Workspace, rounds: int, *, n_sessions: int = 0) -> dict[str, Any]:
    """Return what a person waits for, in seconds, and the memory of the server with many sessions."""
    measurements: dict[str, Any] = {}
    with browser_page() as page, running_app_process(project) as (address, process):
        page.goto(address)
        wait_until_rendered(page, PAGES[0], time.perf_counter())
        measurements["visits"] = {name: switch_page(page, name) for name in (*PAGES[1:], PAGES[0])}
        again = [{name: switch_page(page, name) for name in PAGES} for _ in range(rounds)]
        measurements["again"] = {name: median(seconds[name] for seconds in again) for name in PAGES}
        measurements["form"] = list(submit_form(page, rounds))[1:]
        if n_sessions:
            visitors = page.context.browser.new_context()
            others = [visitors.new_page() for _ in range(n_sessions - 1)]
            for index, session in enumerate(others):
                title = PAGES[index % len(PAGES)]
                session.goto(f"{address}/{ADDRESSES[title]}")
                wait_until_rendered(session, title, time.perf_counter())
            measurements["memory"] = resident_mb(process)
    return measurements


def build_project(target: Path) -> workspace.Workspace:
    made = workspace.create_workspace(target)
    workspace.use_small_dataset(made)
    made.repro()
    made.commit("The first results")
    made.run("mlops", "tracking", "sync")
    return made


def print_target(what: str, measured: float, target: float, unit: str) -> None:
    print(f"{what:66} {measured:8.2f} {unit:5} at most {target:g}: {'met' if measured <= target else 'MISSED'}")


def print_report(
    beside: dict[str, list[float]], empty: dict[str, Any], full: dict[str, Any], arguments: argparse.Namespace
) -> None:
    n = arguments.rows
    title, with_rows = "page, seconds until it is rendered", f"with {n:,} rows"
    print(f"{title:34} {'first visit':>12} {'again':>8}   {with_rows:>24} {'again':>8}")
    for name in PAGES:
        before, after = (measurements["visits"][name] for measurements in (empty, full))
        print(f"  {name:32} {before:12.2f} {empty['again'][name]:8.2f}   {after:24.2f} {full['again'][name]:8.2f}")
    first, plain = median(beside["app"]), median(beside["plain"])
    print(f"first metrics in a new browser: {first:.2f} s, of the page of one title and one metric: {plain:.2f} s")
    print_target("first metrics, times the page of one metric", first / plain, SLOWEST_RATIO, "times")
    print_target("the slowest switch to a page", max(empty["again"].values()), SLOWEST_SWITCH_S, "s")
    print_target("the slowest first visit of a page", max(empty["visits"].values()), SLOWEST_VISIT_S, "s")
    ratios = {name: full["again"][name] / empty["again"][name] for name in PAGES}
    slowest = max(ratios, key=ratios.__getitem__)
    print_target(f"{n:,} predictions, times an empty log: {slowest}", ratios[slowest], SLOWEST_LONG_LOG, "times")
    print_target("a form's prediction on the page, median", 1000 * median(empty["form"]), SLOWEST_FORM_MS, "ms")
    print_target(f"the same with {n:,} predictions", 1000 * median(full["form"]), SLOWEST_FORM_MS, "ms")
    print_target(f"memory of the server with {arguments.sessions} open sessions", full["memory"], LARGEST_MB, "MB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000, help="rows of the long log")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="visits of each page, of which the median counts")
    parser.add_argument("--sessions", type=int, default=SESSIONS, help="open sessions when memory is read")
    parser.add_argument(
        "--project", type=Path, help="folder of a finished project with an empty log; it stays as it is"
    )
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        first = (
            workspace.Workspace(arguments.project)
            if arguments.project is not None
            else build_project(Path(name) / "built")
        )
        empty, full = first.copy(Path(name) / "empty"), first.copy(Path(name) / "full")
        started = time.perf_counter()
        fill_log(full.root, arguments.rows)
        print(f"{arguments.rows:,} rows logged and rolled up in {seconds_since(started):.0f} s", flush=True)
        beside = measure_beside_plain_page(empty, Path(name), arguments.rounds)
        sessions = measure(full, arguments.rounds, n_sessions=arguments.sessions)
        print_report(beside, measure(empty, arguments.rounds), sessions, arguments)


if __name__ == "__main__":
    main()
