"""Measure the app in a browser with an empty log and with millions of predictions: page latency, memory of sessions.

A small project is built, copied, and its copy's log filled; chromium opens both. `--project` names an existing one.
"""

from __future__ import annotations

import argparse
import json
import sqlite3
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from pipeline import state as store  # noqa: E402 - needs the path above
from pipeline.files import read_parquet  # noqa: E402 - needs the path above
from pipeline.monitoring import roll_up  # noqa: E402 - needs the path above
from pipeline.project import paths  # noqa: E402 - needs the path above
from tests.app.browser import browser_page, running_app_process  # noqa: E402 - needs the path above
from tests.fixtures import workspace  # noqa: E402 - needs the path above
from tests.pipeline.monitoring.log_fixtures import MODEL_NAME, production_package  # noqa: E402 - needs the path above

if TYPE_CHECKING:
    from collections.abc import Iterator
    from subprocess import Popen

PAGES = ("Overview", "Predict", "Monitoring", "History", "Models", "Data", "Experiments", "Configuration")
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
            f"p{i}", start + i, MODEL_NAME, version, package.digest, 1, features[i], str(label), json.dumps(shares[i]),
            shares[i][str(label)], "production", "api", 900 + i, 1.0, None, None,
        )
        for i, label in enumerate(package.predict(frame))
    ]  # fmt: skip


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
    page.get_by_role("link", name=title, exact=True).click()
    return wait_until_rendered(page, title, started)


def submit_form(page: Any, rounds: int) -> Iterator[float]:
    """Yield how long each prediction of the form takes from the click until it is on the page."""
    switch_page(page, "Predict")
    for _ in range(rounds + 1):
        before = page.evaluate(_PREDICTION_IDS)
        started = time.perf_counter()
        page.get_by_role("button", name="Predict").first.click()
        page.wait_for_function(_HAS_NEW_PREDICTION_ID, arg=before, polling=10)
        yield seconds_since(started)
        page.wait_for_function(_PAGE_IS_RENDERED, arg="Predict", polling=20)


def resident_mb(process: Popen[str]) -> float:
    status = Path(f"/proc/{process.pid}/status").read_text(encoding="utf-8")
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024


def measure(project: workspace.Workspace, rounds: int, *, n_sessions: int = 0) -> dict[str, Any]:
    """Return what a person waits for, in seconds, and the memory of the server with many sessions."""
    measurements: dict[str, Any] = {}
    with browser_page() as page, running_app_process(project) as (address, process):
        started = time.perf_counter()
        page.goto(address)
        page.locator("[data-testid='stMetric']").first.wait_for()
        measurements["first"] = seconds_since(started)
        measurements["whole"] = wait_until_rendered(page, "Overview", started)
        measurements["visits"] = {name: switch_page(page, name) for name in (*PAGES[1:], PAGES[0])}
        again = [{name: switch_page(page, name) for name in PAGES} for _ in range(rounds)]
        measurements["again"] = {name: median(seconds[name] for seconds in again) for name in PAGES}
        measurements["form"] = list(submit_form(page, rounds))[1:]
        if n_sessions:
            visitors = page.context.browser.new_context()
            others = [visitors.new_page() for _ in range(n_sessions - 1)]
            for index, session in enumerate(others):
                session.goto(f"{address}/{PAGES[index % 4].lower()}")
                wait_until_rendered(session, PAGES[index % 4], time.perf_counter())
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


def print_report(empty: dict[str, Any], full: dict[str, Any], arguments: argparse.Namespace) -> None:
    n = arguments.rows
    title, with_rows = "page, seconds until it is rendered", f"with {n:,} rows"
    print(f"{title:34} {'first visit':>12} {'again':>8}   {with_rows:>24} {'again':>8}")
    for name in PAGES:
        before, after = (measurements["visits"][name] for measurements in (empty, full))
        print(f"  {name:32} {before:12.2f} {empty['again'][name]:8.2f}   {after:24.2f} {full['again'][name]:8.2f}")
    print_target("first paint of the overview after the server is up", empty["first"], 2, "s")
    print_target("the same, rendered", empty["whole"], 2, "s")
    print_target("the slowest switch to a page", max(empty["again"].values()), 1, "s")
    print_target("the slowest first visit of a page", max(empty["visits"].values()), 1, "s")
    ratios = {name: full["again"][name] / empty["again"][name] for name in PAGES}
    slowest = max(ratios, key=ratios.__getitem__)
    print_target(f"{n:,} predictions, times an empty log: {slowest}", ratios[slowest], 1.5, "times")
    print_target("a form's prediction on the page, median", 1000 * median(empty["form"]), 300, "ms")
    print_target(f"the same with {n:,} predictions", 1000 * median(full["form"]), 300, "ms")
    print_target(f"memory of the server with {arguments.sessions} open sessions", full["memory"], 1024, "MB")


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
        print_report(
            measure(empty, arguments.rounds), measure(full, arguments.rounds, n_sessions=arguments.sessions), arguments
        )


if __name__ == "__main__":
    main()
