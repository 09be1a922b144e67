"""The comparison of runs has the settings that differ, and each metric with its difference and the best value."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest

from tests.app.conftest import tables_of, text_of

pytestmark = pytest.mark.xdist_group("app")


def show(losses: list[float]) -> AppTest:
    return AppTest.from_string(
        "from app.views.project import run_comparison_panel\n"
        "from pipeline.tracking.run_search import RecordedRun\n"
        "def run(number, loss):\n"
        "    return RecordedRun(f'{number:032x}', f'model {number} on rows', 'FINISHED', 0, 0, {'seed': str(number)},\n"
        "        {'cv.log_loss': loss}, {'mlops.kind': 'trial', 'mlops.package': f'digest {number}'}, '')\n"
        f"runs = [run(number, loss) for number, loss in enumerate({losses}, 1)]\n"
        "run_comparison_panel.show_comparison(runs, versions={'digest 2': 7}, is_default=False)"
    ).run()


def test_the_comparison_names_settings_differences_and_versions() -> None:
    runs, settings, metrics = tables_of(show([0.3, 0.25, 0.31]))
    assert runs["Version"].tolist() == ["not registered", "Version 7", "not registered"]
    assert settings.to_numpy().tolist() == [["seed", "1", "2", "3"]]
    assert metrics.columns.tolist() == ["Metric", "1: model 1", "2: model 2", "3: model 3"]
    assert metrics.to_numpy().tolist() == [["Log loss", "0.3000", "0.2500 (-0.0500)", "0.3100 (+0.0100)"]]


def test_more_than_ten_runs_are_cut_with_a_notice() -> None:
    at = show([0.1 + 0.01 * number for number in range(11)])
    assert "The first 10 of 11 selected runs" in text_of(at)
    assert len(tables_of(at)[0]) == 10
