"""The specification of a chart is built once for equal arguments, and is that of the chart itself."""

from __future__ import annotations

from functools import partial
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest

from app import charts
from app.chart_specs import ChartSpec
from app.palette import BLUE, DARK_COLORS

_N_BUILT: list[int] = []


def _frame(share: float) -> pd.DataFrame:
    return pd.DataFrame({"name": ["yes", "no"], "share": [share, 1 - share]})


def _counted_bars(frame: pd.DataFrame, *, title: str) -> charts.Chart:
    _N_BUILT.append(len(frame))
    return charts.share_bars(frame, title=title)


def _build(share: float, *, title: str = "Share", is_dark: bool = False) -> dict[str, Any]:
    return ChartSpec(partial(_counted_bars, _frame(share), title=title), is_dark=is_dark).to_dict()


def _rows(spec: dict[str, Any]) -> list[dict[str, Any]]:
    (content,) = spec["datasets"].values()
    rows: list[dict[str, Any]] = pa.ipc.open_stream(content).read_pandas().to_dict("records")
    return rows


def test_an_equal_call_does_not_build_the_chart_again() -> None:
    first, n_built = _build(0.125), len(_N_BUILT)
    assert (_build(0.125), len(_N_BUILT)) == (first, n_built)


@pytest.mark.parametrize("other", [{"share": 0.75}, {"title": "Rows"}, {"is_dark": True}], ids=str)
def test_a_call_with_another_argument_has_its_own_chart(other: dict[str, Any]) -> None:
    arguments: dict[str, Any] = {"share": 0.25} | other
    assert _build(**arguments) != _build(0.25)


def test_a_built_chart_has_the_specification_and_the_rows_of_the_chart() -> None:
    built = _build(0.5)
    direct = ChartSpec(charts.share_bars(_frame(0.5), title="Share"), is_dark=False).to_dict()
    assert _rows(built) == _frame(0.5).to_dict("records")
    assert {**built, "data": None, "datasets": None} == {**direct, "data": None, "datasets": None}


def test_a_built_chart_has_the_colors_of_a_dark_page() -> None:
    text = str(_build(0.5, is_dark=True))
    assert DARK_COLORS[BLUE] in text
    assert BLUE not in text
