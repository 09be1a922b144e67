"""Evidently, NannyML and Great Expectations read the flat prediction log and its reference, by the code of the page."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pandas as pd
import pytest

from tests.fixtures.client_environments import client_environment
from tests.fixtures.workspace import ROOT

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fixtures.client_environments import ClientEnvironment
    from tests.fixtures.workspace import Workspace

pytestmark = pytest.mark.xdist_group("other monitors")

PAGE = ROOT / "docs/reference/prediction-log.md"
DRIFTED = "Stage_fear"


# Each of them reports its use to its maker otherwise, and waits where there is no network.
_SILENT = {"DO_NOT_TRACK": "1", "NML_DISABLE_USAGE_LOGGING": "1", "GX_ANALYTICS_ENABLED": "false"}


@pytest.fixture
def monitors(monkeypatch: pytest.MonkeyPatch) -> ClientEnvironment:
    for name, value in _SILENT.items():
        monkeypatch.setenv(name, value)
    return client_environment("monitors")


@pytest.fixture(scope="module")
def project(finished_small: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with `exported/`: 400 predictions with outcomes, of which one feature has a single value."""
    made = finished_small.copy(tmp_path_factory.mktemp("monitors") / "project")
    rows = pd.read_parquet(made.root / "data/train.parquet")
    rows = rows[rows[DRIFTED] == "Yes"].head(400)
    rows.to_parquet(made.root / "rows.parquet", index=False)
    today = datetime.now(UTC).date()
    made.run("mlops", "predict", "rows.parquet", "-o", "out.csv", "--log")
    ids = pd.read_csv(made.root / "out.csv")["prediction_id"]
    feedback = pd.DataFrame({"prediction_id": ids, "outcome": rows["Personality"].to_numpy()})
    feedback.to_csv(made.root / "outcomes.csv", index=False)
    made.run("mlops", "feedback", "outcomes.csv")
    days = ("--since", today.isoformat(), "--until", (today + timedelta(days=1)).isoformat())
    made.run("mlops", "prediction-log", "export", *days, "--flat", "--reference", "-o", "exported")
    return made.root


def _run(monitors: ClientEnvironment, project: Path, tool: str, *printed: str) -> list[str]:
    """Run the code that the page has for a tool, print expressions, and return their texts."""
    code = re.search(rf"### {tool}\n.*?```py\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert code is not None, tool
    script = project / "script.py"
    script.write_text(code[1] + "".join(f"print({expression})\n" for expression in printed), encoding="utf-8")
    return monitors.run(str(script), cwd=project).splitlines()[-len(printed) :]


def test_evidently_finds_the_drifted_feature(monitors: ClientEnvironment, project: Path) -> None:
    values = "{item['config']['column']: item['value'] for item in metrics if 'column' in item['config']}"
    (found,) = _run(monitors, project, "Evidently", f"{values}[{DRIFTED!r}] < 0.05")
    assert found == "True"


def test_nannyml_finds_the_drifted_feature_and_estimates_performance(
    monitors: ClientEnvironment, project: Path
) -> None:
    found = _run(
        monitors,
        project,
        "NannyML",
        f"drift.filter(period='analysis').to_df()[({DRIFTED!r}, 'jensen_shannon', 'alert')].all()",
        "0.5 < estimate.filter(period='analysis').to_df()[('accuracy', 'value')].mean() <= 1",
    )
    assert found == ["True", "True"]


def test_great_expectations_checks_types_and_values(monitors: ClientEnvironment, project: Path) -> None:
    assert _run(monitors, project, "Great Expectations", "result.success") == ["True"]
