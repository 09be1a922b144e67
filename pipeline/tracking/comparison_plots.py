"""Tables and plots of the tracker: a confusion matrix, and a comparison of runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipeline.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

__all__ = ["confusion_pairs", "confusion_table", "plot_parallel_coordinates"]


def confusion_table(y_true: Any, y_pred: Any, labels: Sequence[Any] | None = None) -> pd.DataFrame:
    """Return counts: one row for each true class, one column for each predicted class.

    Parameters
    ----------
    y_true, y_pred : array-like, shape (n_rows,)
        Classes of any type; equal lengths.
    labels : sequence, optional
        Order of the classes; if None, all classes in alphabetical order.

    Raises
    ------
    UsageError
        When the lengths differ.
    """
    import pandas as pd

    actual, predicted = [str(value) for value in y_true], [str(value) for value in y_pred]
    _check_equal_lengths(actual, predicted)
    names = [str(label) for label in labels] if labels is not None else sorted({*actual, *predicted})
    counts = pd.crosstab(pd.Series(actual, dtype="object"), pd.Series(predicted, dtype="object"))
    table = counts.reindex(index=names, columns=names, fill_value=0).astype("int64")
    return table.rename_axis(index=None, columns=None)


def confusion_pairs(y_true: Any, y_pred: Any) -> pd.DataFrame:
    """Return `actual` and `predicted` class of each row as text, in the format of plots/confusion.csv."""
    import pandas as pd

    actual, predicted = [str(value) for value in y_true], [str(value) for value in y_pred]
    _check_equal_lengths(actual, predicted)
    return pd.DataFrame({"actual": actual, "predicted": predicted})


def _check_equal_lengths(actual: list[str], predicted: list[str]) -> None:
    if len(actual) != len(predicted):
        raise UsageError(
            f"log_confusion_matrix: {len(actual)} actual classes and {len(predicted)} predictions; expected as many"
        )


def plot_parallel_coordinates(table: pd.DataFrame, *, color_by: str | None = None) -> Figure:
    """Plot one line for each run through one axis for each parameter or metric that differs.

    Parameters
    ----------
    table : DataFrame
        Result of `ExperimentTracker.compare_runs`.
    color_by : str, optional
        Column that colors the lines; the last one when None.

    Raises
    ------
    UsageError
        When nothing differs among the runs, or no column has the name `color_by`.
    """
    from matplotlib import colormaps
    from matplotlib.figure import Figure

    columns = [name for name in table.columns if name.partition(".")[0] in ("params", "metrics")]
    columns = [name for name in columns if len(table[name].dropna().unique()) > 1]
    if not columns:
        raise UsageError("compare: these runs do not differ; choose at least two that differ")
    chosen = columns[-1] if color_by is None else color_by
    if chosen not in columns:
        raise UsageError(f"compare: {chosen!r} does not differ among these runs; choose one of {', '.join(columns)}")
    positions = {name: _axis_positions(table[name]) for name in columns}
    figure = Figure(figsize=(max(6.0, 1.6 * len(columns)), 5), layout="constrained")
    axes = figure.subplots()
    for at, (_, row) in enumerate(table.iterrows()):
        heights = [positions[name][0][at] for name in columns]
        color = colormaps["viridis"](positions[chosen][0][at])
        axes.plot(range(len(columns)), heights, color=color, alpha=0.8, label=row["name"])
    _label_axes(axes, columns, positions)
    axes.set_title(f"{len(table)} runs, colored by {chosen}")
    if len(table) <= 12:
        figure.legend(loc="outside right upper", fontsize="small")
    return figure


def _axis_positions(values: pd.Series) -> tuple[NDArray[np.float64], list[tuple[float, str]]]:
    """Return the position of each value from 0 to 1 (NaN if missing), and the tick labels."""
    import numpy as np
    import pandas as pd

    numbers = pd.to_numeric(values, errors="coerce").to_numpy(dtype=float)
    if np.isfinite(numbers).sum() == values.notna().sum():
        low, high = np.nanmin(numbers), np.nanmax(numbers)
        ticks = [(share, f"{low + share * (high - low):.4g}") for share in (0.0, 0.5, 1.0)]
        return (numbers - low) / (high - low), ticks
    labels = sorted({str(value) for value in values.dropna()})
    heights = {label: at / max(1, len(labels) - 1) for at, label in enumerate(labels)}
    positions = [heights[str(value)] if pd.notna(value) else float("nan") for value in values]
    return np.array(positions), [(height, label) for label, height in heights.items()]


def _label_axes(axes: Axes, columns: list[str], positions: dict[str, Any]) -> None:
    for at, name in enumerate(columns):
        axes.axvline(at, color="0.8", linewidth=1, zorder=0)
        for height, text in positions[name][1]:
            axes.annotate(text, (at, height), xytext=(4, 0), textcoords="offset points", fontsize=7, va="center")
    tick_labels = [name.partition(".")[2].replace(".", ".\n") for name in columns]
    axes.set_xticks(range(len(columns)), tick_labels, fontsize=8)
    axes.set_yticks([])
    axes.set_xlim(-0.2, len(columns) - 0.5)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
