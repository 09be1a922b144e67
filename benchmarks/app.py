"""How fast is the app in a real browser, with an empty log and with millions of predictions, and how much memory do sessions take?

A small project is built, copied, and its copy's log filled; chromium opens both. `--project` takes one that is there.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402 - needs the path above

from pipeline import state as store  # noqa: E402 - needs the path above
from pipeline.files import read_parquet  # noqa: E402 - needs the path above
from pipeline.monitoring import roll_up  # noqa: E402 - needs the path above
from tests.app.browser import chromium, serving_process  # noqa: E402 - needs the path above
from tests.end_to_end import workspace  # noqa: E402 - needs the path above
from tests.pipeline.monitoring.logs import NAME, production  # noqa: E402 - needs the path above

if TYPE_CHECKING:
    from collections.abc import Iterator
    from subprocess import Popen

PAGES = ("Overview", "Predict", "Monitoring", "History", "Models", "Data", "Experiments", "Configuration")
DAYS, AT_ONCE, ROUNDS, SESSIONS = 30, 50_000, 5, 20
# All is drawn: the page has its title, its script has ended, nothing in sight is busy or a chart without its canvas.
_DRAWN = """title => {
  const head = document.querySelector('h1'), app = document.querySelector('[data-testid="stApp"]');
  const inSight = query => [...document.querySelectorAll(query)].filter(e => e.getClientRects().length && e.offsetWidth);
  return head && head.innerText.includes(title) && app.dataset.testScriptState === 'notRunning'
    && !inSight("[data-testid='stSkeleton'], [data-testid='stSpinner'], [data-stale='true']").length
    && inSight('[data-testid="stVegaLiteChart"]').every(e => e.querySelector('canvas, svg'));
}"""
_ANSWERED = "before => [...document.querySelectorAll('code')].some(e => e.innerText.length === 36 && !before.includes(e.innerText))"
_IDS = "() => [...document.querySelectorAll('code')].map(e => e.innerText)"


def fill(root: Path, n: int) -> None:
    """Log rows evenly over thirty days until now, and roll them up as a monitor does in the meantime."""
    package, version = production(root)
    frame = read_parquet(root / "data/train.parquet")
    names = list(package.schema.feature_names)
    features = [json.dumps(one) for one in json.loads(frame[names].to_json(orient="records"))]
    shares = [dict(zip(package.classes, one, strict=True)) for one in package.predict_proba(frame).tolist()]
    said = [str(one) for one in package.predict(frame)]
    told = [json.dumps(one) for one in shares]
    now = time.time_ns() // 1000
    at = np.linspace(now - DAYS * store.DAY_US, now, n, endpoint=False).astype(np.int64)
    state = store.open_state(root)
    journal = store.Journal(state)
    for start in range(0, n, AT_ONCE):
        rows = []
        for i, moment in enumerate(at[start : start + AT_ONCE].tolist(), start):
            j = i % len(frame)
            rows.append(
                store.PredictionRow(
                    f"p{i}", moment, NAME, version, package.digest, 1, features[j], said[j], told[j],
                    shares[j][said[j]], "champion", "champion", 900 + j, 1.0, None, None,
                )
            )  # fmt: skip
        journal.append(rows)
        roll_up(state, NAME, lambda _: package)
    journal.close()
    state.close()


def seconds(start: float) -> float:
    return time.perf_counter() - start


def drawn(page: Any, title: str, started: float) -> float:
    page.wait_for_function(_DRAWN, arg=title, polling=20)
    return seconds(started)


def switch(page: Any, title: str) -> float:
    started = time.perf_counter()
    page.get_by_role("link", name=title, exact=True).click()
    return drawn(page, title, started)


def form(page: Any) -> Iterator[float]:
    """Yield how long each answer of the form takes from the click until it is on the page."""
    switch(page, "Predict")
    for _ in range(ROUNDS + 1):
        before = page.evaluate(_IDS)
        started = time.perf_counter()
        page.get_by_role("button", name="Predict").first.click()
        page.wait_for_function(_ANSWERED, arg=before, polling=10)
        yield seconds(started)
        page.wait_for_function(_DRAWN, arg="Predict", polling=20)


def resident_mb(process: Popen[str]) -> float:
    told = Path(f"/proc/{process.pid}/status").read_text(encoding="utf-8")
    return int(told.partition("VmRSS:")[2].split()[0]) / 1024


def measure(project: workspace.Workspace, *, with_sessions: bool = False) -> dict[str, Any]:
    """Return what a person waits for, in seconds, and the memory of the server with many sessions."""
    found: dict[str, Any] = {}
    with chromium() as page, serving_process(project) as (address, process):
        started = time.perf_counter()
        page.goto(address)
        page.locator("[data-testid='stMetric']").first.wait_for()
        found["first"] = seconds(started)
        found["whole"] = drawn(page, "Overview", started)
        found["visits"] = {name: switch(page, name) for name in (*PAGES[1:], PAGES[0])}
        again = [{name: switch(page, name) for name in PAGES} for _ in range(ROUNDS)]
        found["again"] = {name: median(one[name] for one in again) for name in PAGES}
        found["form"] = list(form(page))[1:]
        if with_sessions:
            others = [page.context.new_page() for _ in range(SESSIONS - 1)]
            for at, one in enumerate(others):
                one.goto(f"{address}/{PAGES[at % 4].lower()}")
                drawn(one, PAGES[at % 4], time.perf_counter())
            found["memory"] = resident_mb(process)
    return found


def built(target: Path) -> workspace.Workspace:
    made = workspace.make(target)
    workspace.shrink(made)
    made.repro()
    made.commit("The first results")
    made.run("mlops", "track", "sync")
    return made


def bar(what: str, found: float, limit: float, unit: str) -> None:
    print(f"{what:66} {found:8.2f} {unit:5} at most {limit:g}: {'met' if found <= limit else 'MISSED'}")


def report(empty: dict[str, Any], full: dict[str, Any], n: int) -> None:
    print(
        f"{'page, seconds until all is drawn':34} {'first visit':>12} {'again':>8}   {f'with {n:,} rows':>24} {'again':>8}"
    )
    for name in PAGES:
        before, after = (one["visits"][name] for one in (empty, full))
        print(f"  {name:32} {before:12.2f} {empty['again'][name]:8.2f}   {after:24.2f} {full['again'][name]:8.2f}")
    bar("first paint of the overview after the server is up", empty["first"], 2, "s")
    bar("the same, all drawn", empty["whole"], 2, "s")
    bar("the slowest switch to a page", max(empty["again"].values()), 1, "s")
    bar("the slowest first visit of a page", max(empty["visits"].values()), 1, "s")
    ratios = {name: full["again"][name] / empty["again"][name] for name in PAGES}
    slowest = max(ratios, key=ratios.__getitem__)
    bar(f"{n:,} predictions, times an empty log: {slowest}", ratios[slowest], 1.5, "times")
    bar("a form's answer on the page, median", 1000 * median(empty["form"]), 300, "ms")
    bar(f"the same with {n:,} predictions", 1000 * median(full["form"]), 300, "ms")
    bar(f"memory of the server with {SESSIONS} open sessions", full["memory"], 1024, "MB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000, help="rows of the long log")
    parser.add_argument(
        "--project", type=Path, help="folder of a finished project with an empty log; it stays as it is"
    )
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        first = workspace.Workspace(given.project) if given.project is not None else built(Path(name) / "built")
        empty, full = first.copy(Path(name) / "empty"), first.copy(Path(name) / "full")
        started = time.perf_counter()
        fill(full.root, given.rows)
        print(f"{given.rows:,} rows logged and rolled up in {seconds(started):.0f} s", flush=True)
        report(measure(empty), measure(full, with_sessions=True), given.rows)


if __name__ == "__main__":
    main()
