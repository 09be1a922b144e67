"""Each table has a plot with a title and content."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from pipeline.errors import UnknownOption
from pipeline.evaluation.plots import PLOT_FUNCTIONS, draw_plot

TABLES = {
    "confusion": pd.DataFrame({"actual": ["a", "a", "b"], "predicted": ["a", "b", "b"]}),
    "roc": pd.DataFrame({"false_positive_rate": [0.0, 1.0], "true_positive_rate": [0.0, 1.0], "threshold": [1.0, 0.1]}),
    "pr": pd.DataFrame({"recall": [0.5, 1.0], "precision": [1.0, 0.5], "threshold": [0.9, 0.1]}),
    "calibration": pd.DataFrame(
        {"predicted": [0.2, 0.8], "observed": [0.1, 1.0], "low": [0.0, 0.7], "high": [0.3, 1.0], "rows": [9, 7]}
    ),
    "lift": pd.DataFrame({"share_of_rows": [0.5, 1.0], "share_found": [0.9, 1.0], "lift": [1.8, 1.0]}),
    "importance": pd.DataFrame({"column": ["x", "y"], "worsening": [0.2, 0.1], "low": [0.1, 0.0], "high": [0.3, 0.2]}),
}


def test_every_plot_has_a_table_here() -> None:
    assert set(TABLES) == set(PLOT_FUNCTIONS)


@pytest.mark.parametrize("name", TABLES)
def test_a_plot_has_a_title_and_content(name: str) -> None:
    figure = draw_plot(name, TABLES[name])
    axes = figure.axes[0]
    assert axes.get_title()
    assert axes.has_data()
    figure.canvas.draw()
    assert len(np.unique(np.asarray(figure.canvas.buffer_rgba()).reshape(-1, 4), axis=0)) > 2


def test_the_confusion_plot_shows_counts_and_shares() -> None:
    texts = [text.get_text() for text in draw_plot("confusion", TABLES["confusion"]).axes[0].texts]
    assert texts == ["1\n50%", "1\n50%", "0\n0%", "1\n100%"]


def test_the_greatest_importance_is_on_top() -> None:
    axes = draw_plot("importance", TABLES["importance"]).axes[0]
    assert axes.yaxis_inverted()
    assert [label.get_text() for label in axes.get_yticklabels()] == ["x", "y"]


def test_an_undefined_curve_has_a_note() -> None:
    axes = draw_plot("roc", TABLES["roc"].head(0)).axes[0]
    assert [text.get_text() for text in axes.texts] == ["not defined for these rows"]


def test_the_error_of_an_unknown_plot_lists_the_known_ones() -> None:
    with pytest.raises(UnknownOption, match="confusion, roc, pr, calibration, lift, importance"):
        draw_plot("gain", TABLES["lift"])


@pytest.mark.usefixtures("starts_processes")
def test_drawing_needs_neither_pyplot_nor_a_screen() -> None:
    code = (
        "import sys, pandas as pd; from pipeline.evaluation.plots import draw_plot;"
        "draw_plot('lift', pd.DataFrame({'share_of_rows': [1.0], 'lift': [1.0]}));"
        "print('matplotlib.pyplot' in sys.modules)"
    )
    completed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert completed.stdout.strip() == "False"
