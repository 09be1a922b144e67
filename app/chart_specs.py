"""The Vega-Lite specifications of charts; one is built once for equal arguments, whichever session asks."""

from __future__ import annotations

import hashlib
import pickle
from dataclasses import dataclass, field
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any

import altair as alt
import pandas as pd
import pyarrow as pa

from . import palette
from .charts import Chart

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["ChartBuilder", "ChartSpec"]

ChartBuilder = partial[Chart]
_TRANSFORMER = "frames_as_arrow"


class ChartSpec:
    """A chart for `st.altair_chart` that is not validated against Vega-Lite's schema each time it is shown.

    Validation takes most of the time of a page; the tests do it.

    Parameters
    ----------
    chart : Chart or partial
        A partial builds the chart when no equal call of its function has built it before.
    is_dark : bool
        Whether the page is dark.
    """

    def __init__(self, chart: Chart | ChartBuilder, *, is_dark: bool) -> None:
        self._chart, self._is_dark = chart, is_dark

    def to_dict(self) -> dict[str, Any]:
        """Return the specification with its rows; Streamlit allows one thread at a time here."""
        if isinstance(self._chart, partial):
            return dict(_built_spec(_ChartCall(_digest(self._chart), self._chart), is_dark=self._is_dark))
        return _spec(self._chart, is_dark=self._is_dark)


@dataclass(frozen=True, slots=True)
class _ChartCall:
    """A call that builds a chart; calls of the same function with equal arguments are equal."""

    digest: str
    build: ChartBuilder = field(compare=False)


def _digest(call: ChartBuilder) -> str:
    arguments = pickle.dumps((call.func.__module__, call.func.__qualname__, call.args, call.keywords))
    return hashlib.sha256(arguments).hexdigest()


@lru_cache(maxsize=128)
def _built_spec(call: _ChartCall, *, is_dark: bool) -> Mapping[str, Any]:
    datasets: dict[str, bytes] = {}
    alt.data_transformers.register(_TRANSFORMER, _frame_name)
    with alt.data_transformers.enable(_TRANSFORMER, datasets=datasets):
        spec = _spec(call.build(), is_dark=is_dark)
    return spec | {"datasets": datasets}


def _frame_name(data: Any, datasets: dict[str, bytes]) -> dict[str, str]:
    """Add rows to the datasets in Arrow's format, as Streamlit does it, and return the reference to them."""
    table = pa.Table.from_pandas(pd.DataFrame(data))
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    content = sink.getvalue().to_pybytes()
    name = hashlib.sha256(content).hexdigest()
    datasets[name] = content
    return {"name": name}


def _spec(chart: Chart, *, is_dark: bool) -> dict[str, Any]:
    spec: dict[str, Any] = palette.recolor(chart.to_dict(validate=False), is_dark=is_dark)
    if any("interval" in str(parameter.get("select")) for parameter in spec.get("params", ())):
        # In an SVG the rectangle of such a selection is announced as a picture without a name.
        spec["usermeta"] = {"embedOptions": {"renderer": "canvas"}}
    return spec
