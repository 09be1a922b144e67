"""Make the pictures of docs/images from the current code: `make pictures`, or with the folder of a finished project."""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.app.browser import (
    browser_page,
    content_height,
    horizontal_overflow,
    open_page,
    running_app,
    wait_until_drawn,
)
from tests.app.drifting_day import log_drifting_day
from tests.fixtures import workspace
from tests.fixtures.server_process import run_server

if TYPE_CHECKING:
    from collections.abc import Iterable

IMAGES = Path(__file__).parents[2] / "docs/images"
# The name of a picture, and the address of what it shows.
PICTURES = {
    "overview": "",
    "wall": "wall",
    "incidents": "incidents",
    "incident": "incidents?incident=1",
    "monitoring": "monitoring?range=1d",
    "history": "history?outcome=wrong",
    "models": "models",
    "models-metrics": "models?models_tab=Metrics",
    "compare": "compare?first=1&second=2",
    "data": "data",
    "experiments": "experiments",
    "reports": "reports",
    "configuration": "configuration",
}
NARROW = ("overview", "incident", "monitoring")
DARK = ("overview", "monitoring", "compare")
_WIDTH_PX, _MAX_HEIGHT_PX = 1440, 1700


def _finished_workspace(target: Path) -> workspace.Workspace:
    project = workspace.create_workspace(target)
    project.repro()
    project.commit("The first results")
    project.run("mlops", "tracking", "sync")
    project.edit("conf/config.yaml", "model: hist_gradient_boosting", "model: logistic_regression")
    project.start("dvc", "repro").communicate()  # its gates reject it, which the pictures show
    project.commit("Another model")
    project.run("mlops", "tracking", "sync")
    return project


def _save_screenshot(page: Any, name: str, folder: Path, *, tall: bool = True) -> None:
    size = page.viewport_size
    if tall:
        height = min(max(content_height(page) + 40, size["height"]), _MAX_HEIGHT_PX)
        page.set_viewport_size({"width": size["width"], "height": height})
        wait_until_drawn(page)
        page.wait_for_timeout(700)
    page.screenshot(path=folder / f"{name}.png")
    page.set_viewport_size(size)
    print(f"{name}: {horizontal_overflow(page)} px too wide")


def _predict_by_form(page: Any, address: str) -> None:
    open_page(page, address, "predict")
    page.get_by_role("button", name=re.compile("Predict$")).click()
    page.get_by_text("not logged").first.wait_for()
    page.get_by_text("What-if").first.click()
    wait_until_drawn(page)


def _upload_predictions(page: Any, address: str, project: Path, folder: Path) -> None:
    """Predict a file of up to 1,500 rows to fill the log."""
    import pandas as pd

    from pipeline.package import load_package

    features = list(load_package(project / "models/candidate").schema.feature_names)
    rows = pd.read_parquet(project / "data/test.parquet")[features].head(1500)
    rows.to_csv(folder / "rows.csv", index=False)
    open_page(page, address, "predict")
    page.get_by_role("tab", name="File").click()
    page.locator("input[type=file]").set_input_files(folder / "rows.csv")
    page.get_by_role("button", name=f"Predict {len(rows):,} rows").click()
    page.get_by_text("Download all predictions").wait_for()
    wait_until_drawn(page)


def take_screenshots(project: workspace.Workspace, folder: Path) -> None:
    """Take every picture on the results of a project."""
    folder.mkdir(parents=True, exist_ok=True)
    log_drifting_day(project.root, n=8_000, has_outcomes=True)
    project.start(sys.executable, "-m", "stages.monitor").communicate()  # detects drift and opens an incident
    with (
        run_server(project.root) as server,
        running_app(project, MLOPS_SERVER_URL=server.address) as address,
        tempfile.TemporaryDirectory() as scratch,
    ):
        with browser_page(width=_WIDTH_PX) as page:
            _upload_predictions(page, address, project.root, Path(scratch))
            _save_screenshot(page, "predict-file", folder)
            _predict_by_form(page, address)
            _save_screenshot(page, "predict", folder)
            _save_pages(page, address, PICTURES, folder)
        with browser_page(width=_WIDTH_PX, dark=True) as page:
            _save_pages(page, address, DARK, folder, suffix="-dark")
        with browser_page(width=390, height=844) as page:
            _save_pages(page, address, NARROW, folder, suffix="-narrow")


def _save_pages(page: Any, address: str, names: Iterable[str], folder: Path, *, suffix: str = "") -> None:
    for name in names:
        open_page(page, address, PICTURES[name])
        _save_screenshot(page, f"{name}{suffix}", folder)


def take_loop_screenshots(project: workspace.Workspace, folder: Path) -> None:
    """Take the pictures of the loop on a project whose loop acted."""
    folder.mkdir(parents=True, exist_ok=True)
    with running_app(project) as address:
        with browser_page(width=_WIDTH_PX) as page:
            for name, target in (
                ("loop", "loop"),
                ("loop-trials", "loop?loop_tab=Trials"),
                ("loop-retrains", "loop?loop_tab=Retrains"),
                ("models-importance", "models?models_tab=Importance"),
            ):
                open_page(page, address, target)
                _save_screenshot(page, name, folder)
        with browser_page(width=390, height=844) as page:
            open_page(page, address, "loop")
            _save_screenshot(page, "loop-narrow", folder)


def _loop_workspace(folder: Path) -> workspace.Workspace:
    """Play an act of the closed loop, and return the copy of the project in which it acted."""
    act = "concept"
    subprocess.run([sys.executable, "examples/closed_loop.py", act, "--keep", folder], cwd=workspace.ROOT, check=False)
    return workspace.Workspace(folder / act)


def main() -> None:
    """Build a project in a temporary folder, unless one is named, and take the pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--project", type=Path, help="folder of a project whose graph has run")
    parser.add_argument("--loop", type=Path, help="folder of a project in which the loop acted; takes its pictures")
    parser.add_argument("--out", type=Path, default=IMAGES)
    given = parser.parse_args()
    if given.loop is not None:
        take_loop_screenshots(workspace.Workspace(given.loop.resolve()), given.out)
        return
    if given.project is not None:
        take_screenshots(workspace.Workspace(given.project.resolve()), given.out)
        return
    folder = Path(tempfile.mkdtemp())
    try:
        take_screenshots(_finished_workspace(folder / "project"), given.out)
        take_loop_screenshots(_loop_workspace(folder / "loop"), given.out)
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
