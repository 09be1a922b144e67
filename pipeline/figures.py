"""Draw the tables of plots/ as figures for people, without a screen."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from pipeline.kinds import Kinds

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["FIGURES", "draw"]

_SIZE_INCH = (6.4, 4.8)
_MAX_BARS = 20
# Names of columns and classes may be long; fitting the margins to them costs a second drawing.
_WITH_NAMES = {"confusion", "importance"}
_BLUE, _GREY, _PALE = "#1f5fa8", "#8a8a8a", "#c9daee"

Drawing = Callable[["pd.DataFrame", "Axes"], None]
FIGURES: Kinds[Drawing] = Kinds("plots")


def draw(name: str, table: pd.DataFrame) -> Figure:
    """Return the figure of one table.

    Parameters
    ----------
    name : str
        Member of `FIGURES`: the name of the file in plots/ without its ending.
    table : DataFrame
        What that file holds. A table without rows (a curve that these rows do not define) gives a
        figure that says so.

    Returns
    -------
    matplotlib Figure
        Bound to the Agg canvas; it is not known to pyplot and so needs no closing.

    Raises
    ------
    UnknownKind
        When no figure has this name.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    drawing = FIGURES[name]
    figure = Figure(figsize=_SIZE_INCH, layout="constrained" if name in _WITH_NAMES else None)
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    if table.empty:
        axes.text(0.5, 0.5, "not defined for these rows", ha="center", va="center", color=_GREY)
        axes.set_axis_off()
        return figure
    drawing(table, axes)
    return figure


@FIGURES.add("confusion")
def _confusion(table: pd.DataFrame, axes: Axes) -> None:
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
                f"{counts.loc[actual, predicted]:,}\n{share:.1%}",
                ha="center",
                va="center",
                color="white" if share > 0.5 else "black",
            )
    axes.set_xticks(range(len(names)), names)
    axes.set_yticks(range(len(names)), names)
    _label(axes, "Confusion: rows and their share of the true class", "predicted", "actual")


@FIGURES.add("roc")
def _roc(table: pd.DataFrame, axes: Axes) -> None:
    axes.plot([0, 1], [0, 1], color=_GREY, linestyle=":", label="by chance")
    axes.plot(table["false_positive_rate"], table["true_positive_rate"], color=_BLUE, label="model")
    _unit_square(axes)
    axes.legend(loc="lower right")
    _label(axes, "ROC", "false positive rate", "true positive rate")


@FIGURES.add("pr")
def _pr(table: pd.DataFrame, axes: Axes) -> None:
    axes.plot(table["recall"], table["precision"], color=_BLUE)
    _unit_square(axes)
    _label(axes, "Precision and recall", "recall", "precision")


@FIGURES.add("calibration")
def _calibration(table: pd.DataFrame, axes: Axes) -> None:
    axes.plot([0, 1], [0, 1], color=_GREY, linestyle=":", label="as said")
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
    _unit_square(axes)
    axes.legend(loc="upper left")
    _label(axes, "Calibration", "predicted probability", "observed share")


@FIGURES.add("lift")
def _lift(table: pd.DataFrame, axes: Axes) -> None:
    axes.axhline(1.0, color=_GREY, linestyle=":", label="by chance")
    axes.plot(table["share_of_rows"], table["lift"], color=_BLUE, label="model")
    axes.set_xlim(0, 1)
    axes.set_ylim(bottom=0)
    axes.legend(loc="upper right")
    _label(axes, "Lift of the rows with the highest scores", "share of rows", "lift")


@FIGURES.add("importance")
def _importance(table: pd.DataFrame, axes: Axes) -> None:
    table = table.head(_MAX_BARS)
    places = range(len(table))
    axes.barh(places, table["worsening"], color=_PALE, edgecolor=_BLUE)
    axes.hlines(places, table["low"], table["high"], color=_BLUE)
    axes.set_yticks(places, table["column"])
    axes.invert_yaxis()
    _label(axes, "Importance", "worsening when shuffled (line: least to most)", "")


def _unit_square(axes: Axes) -> None:
    axes.set_xlim(-0.01, 1.01)
    axes.set_ylim(-0.01, 1.01)


def _label(axes: Axes, title: str, x: str, y: str) -> None:
    axes.set_title(title)
    axes.set_xlabel(x)
    axes.set_ylabel(y)
