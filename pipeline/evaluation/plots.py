"""Draw the tables of plots/ as figures, without a screen."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from pipeline.lookup import LookupTable
from pipeline.text import percent

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["PLOT_FUNCTIONS", "draw_plot"]

_SIZE_INCH = (6.4, 4.8)
_MAX_BARS = 20
# Long names of features and classes need fitted margins, which cost a second drawing.
_PLOTS_WITH_NAMES = {"confusion", "importance"}
_BLUE, _GRAY, _PALE = "#1f5fa8", "#8a8a8a", "#c9daee"

PlotFunction = Callable[["pd.DataFrame", "Axes"], None]
PLOT_FUNCTIONS: LookupTable[PlotFunction] = LookupTable("plots")


def draw_plot(name: str, table: pd.DataFrame) -> Figure:
    """Draw the figure of one table.

    Parameters
    ----------
    name : str
        Name of the file in plots/ without its extension.
    table : DataFrame
        Content of that file. A table without rows (an undefined curve) gives a figure with a note.

    Returns
    -------
    matplotlib Figure
        Bound to the Agg canvas; pyplot does not hold it, so it needs no closing.

    Raises
    ------
    UnknownOption
        When no plot has this name.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    drawing = PLOT_FUNCTIONS[name]
    figure = Figure(figsize=_SIZE_INCH, layout="constrained" if name in _PLOTS_WITH_NAMES else None)
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    if table.empty:
        axes.text(0.5, 0.5, "not defined for these rows", ha="center", va="center", color=_GRAY)
        axes.set_axis_off()
        return figure
    drawing(table, axes)
    return figure


@PLOT_FUNCTIONS.add("confusion")
def _plot_confusion(table: pd.DataFrame, axes: Axes) -> None:
    import pandas as pd

    names = sorted(set(table["actual"]) | set(table["predicted"]))
    counts = pd.crosstab(table["actual"], table["predicted"]).reindex(index=names, columns=names, fill_value=0)
    shares = counts.div(counts.sum(axis=1).clip(lower=1), axis=0)
    axes.imshow(shares, cmap="Blues", vmin=0.0, vmax=1.0)
    for row, actual in enumerate(names):
        for column, predicted in enumerate(names):
            share = shares.loc[actual, predicted]
            axes.text(
                column,
                row,
                f"{counts.loc[actual, predicted]:,}\n{percent(share)}",
                ha="center",
                va="center",
                color="white" if share > 0.5 else "black",
            )
    axes.set_xticks(range(len(names)), names)
    axes.set_yticks(range(len(names)), names)
    _set_labels(axes, "Confusion: rows and their share of the true class", "predicted", y="actual")


@PLOT_FUNCTIONS.add("roc")
def _plot_roc(table: pd.DataFrame, axes: Axes) -> None:
    axes.plot([0, 1], [0, 1], color=_GRAY, linestyle=":", label="by chance")
    axes.plot(table["false_positive_rate"], table["true_positive_rate"], color=_BLUE, label="model")
    _set_unit_limits(axes)
    axes.legend(loc="lower right")
    _set_labels(axes, "ROC", "false positive rate", y="true positive rate")


@PLOT_FUNCTIONS.add("pr")
def _plot_precision_recall(table: pd.DataFrame, axes: Axes) -> None:
    axes.plot(table["recall"], table["precision"], color=_BLUE)
    _set_unit_limits(axes)
    _set_labels(axes, "Precision and recall", "recall", y="precision")


@PLOT_FUNCTIONS.add("calibration")
def _plot_calibration(table: pd.DataFrame, axes: Axes) -> None:
    axes.plot([0, 1], [0, 1], color=_GRAY, linestyle=":", label="as said")
    below, above = table["observed"] - table["low"], table["high"] - table["observed"]
    axes.errorbar(
        table["predicted"],
        table["observed"],
        yerr=[below.clip(lower=0), above.clip(lower=0)],
        color=_BLUE,
        marker="o",
        capsize=3,
        label="model, 95 % interval",
    )
    _set_unit_limits(axes)
    axes.legend(loc="upper left")
    _set_labels(axes, "Calibration", "predicted probability", y="observed share")


@PLOT_FUNCTIONS.add("lift")
def _plot_lift(table: pd.DataFrame, axes: Axes) -> None:
    axes.axhline(1.0, color=_GRAY, linestyle=":", label="by chance")
    axes.plot(table["share_of_rows"], table["lift"], color=_BLUE, label="model")
    axes.set_xlim(0, 1)
    axes.set_ylim(bottom=0)
    axes.legend(loc="upper right")
    _set_labels(axes, "Lift of the rows with the highest scores", "share of rows", y="lift")


@PLOT_FUNCTIONS.add("importance")
def _plot_importance(table: pd.DataFrame, axes: Axes) -> None:
    table = table.head(_MAX_BARS)
    places = range(len(table))
    axes.barh(places, table["worsening"], color=_PALE, edgecolor=_BLUE)
    axes.hlines(places, table["low"], table["high"], color=_BLUE)
    axes.set_yticks(places, table["column"])
    axes.invert_yaxis()
    _set_labels(axes, "Importance", "worsening when shuffled (line: least to most)", y="")


def _set_unit_limits(axes: Axes) -> None:
    axes.set_xlim(-0.01, 1.01)
    axes.set_ylim(-0.01, 1.01)


def _set_labels(axes: Axes, title: str, x: str, *, y: str) -> None:
    axes.set_title(title)
    axes.set_xlabel(x)
    axes.set_ylabel(y)
