"""The experiments page: recorded runs with the columns of your choice, in groups, and the comparison of several."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd
import streamlit as st

from pipeline.project.engine_files import stage_command
from pipeline.text import pluralize, timestamp
from pipeline.tracking import run_comparison

from ... import address, formatting, links, page, queries
from ...page_charts import run_charts
from . import run_comparison_panel, sweep_panel

if TYPE_CHECKING:
    from pipeline.tracking.run_search import RecordedRun

__all__ = ["render"]

_KINDS = {"training": "Training", "monitoring": "Monitoring", "sweep": "Sweeps", "all": "All"}
_OTHER_KINDS = ("monitoring", "sweep", "validation")
_NEWEST, _NO_GROUP = "started", "none"
_MAX_AXES, _MAX_LINES, _MAX_AXIS_VALUES, _MAX_PLACES = 10, 300, 15, 8
_DEFAULT_METRICS = ("log_loss", "roc_auc", "accuracy", "ece")


@dataclass(frozen=True, slots=True)
class _RunTable:
    """The runs of the table in their order, and how they are shown."""

    runs: list[RecordedRun]
    columns: list[str]
    metric: str | None
    groups: list[run_comparison.RunGroup]
    key: str

    @property
    def best_ids(self) -> set[str]:
        """The best run, or that of each group."""
        if self.groups:
            return {group.best.run_id for group in self.groups if group.best is not None}
        best = None if self.metric is None else run_comparison.best_run(self.runs, self.metric)
        return set() if best is None else {best.run_id}


def render() -> None:
    """Show the page."""
    page.render_page("Experiments", "Runs, metrics and comparison.", _render_body)


def _render_body() -> None:
    runs = queries.runs()
    _show_head(runs)
    if not runs:
        page.empty_state(
            "No runs yet",
            f"run `make run`, or a sweep: `{stage_command('train')} -m model=logistic_regression,random_forest`",
        )
        return
    versions = {version.digest: version.version for version in queries.versions(queries.config().name)}
    listed = _select_kind(runs)
    if listed:
        table = _arrange(listed, names={run.run_id: run.name for run in runs})
        _show_best(table, versions)
        if table.groups:
            _show_groups(table)
        selected = _show_runs(table, versions)
        compared, is_default = _compared_runs(runs, listed, selected)
        _show_parallel_coordinates(table, compared)
        page.error_boundary(
            lambda: run_comparison_panel.show_comparison(compared, versions=versions, is_default=is_default)
        )
    else:
        page.empty_state("No run of this kind", "select another kind above")
    page.error_boundary(lambda: sweep_panel.show_sweeps(runs))


def _show_head(runs: list[RecordedRun]) -> None:
    server = queries.mlflow_address()
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(
            f"**{pluralize(len(runs), 'run')}** in `{formatting.shorten(queries.config().tracking.experiment)}`"
        )
        if server is not None:
            st.link_button("Open MLflow", server, icon=":material/open_in_new:")
        else:
            st.caption("To open MLflow: `mlflow ui --backend-store-uri sqlite:///mlflow.db`")


def _select_kind(runs: list[RecordedRun]) -> list[RecordedRun]:
    """Return the runs of the kind that the page shows; monitor runs and sweeps are apart from trained models."""
    counts = {name: len(_of_kind(runs, name)) for name in _KINDS}
    kind = address.choose(
        st.segmented_control,
        list(_KINDS),
        parameter="kind",
        key="experiment_kind",
        default="training",
        format_func=lambda name: f"{_KINDS[name]} ({counts[name]:,})",
        label="Kind of run",
        label_visibility="collapsed",
    )
    return _of_kind(runs, kind)


def _of_kind(runs: list[RecordedRun], kind: str) -> list[RecordedRun]:
    if kind == "all":
        return runs
    if kind == "training":
        return [run for run in runs if run_comparison.run_kind(run) not in _OTHER_KINDS]
    return [run for run in runs if run_comparison.run_kind(run) == kind]


def _arrange(runs: list[RecordedRun], *, names: dict[str, str]) -> _RunTable:
    """Show the choices of the table, and return its runs in their order."""
    available = run_comparison.run_columns(runs)
    label = run_comparison.column_label
    default_metric = run_comparison.default_metric(runs, available, queries.config().training.selection_metric)
    columns = address.choose_several(
        available,
        parameter="columns",
        key="experiment_columns",
        default=_default_columns(available, default_metric),
        format_func=label,
        label="Columns: metrics and settings",
        select_all=False,
    )
    ranked = [column for column in available if run_comparison.higher_is_better(column) is not None]
    boxes = st.columns(4)
    metric = _choose_metric(boxes[0], ranked, default=default_metric)
    sort_labels = {_NEWEST: "Newest first", "name": "Name", **{column: label(column) for column in available}}
    sort = _choose(boxes[1], sort_labels, "sort", default=_NEWEST, label="Sort by")
    settings = {column: label(column) for column in available if column.startswith("params.")}
    group_labels = {
        _NO_GROUP: "No groups",
        run_comparison.SWEEP_GROUP: "Sweep",
        run_comparison.KIND_GROUP: "Kind",
        **settings,
    }
    group = _choose(boxes[2], group_labels, "group", default=_NO_GROUP, label="Group by")
    order = _choose(
        boxes[3], {"best": "Best or newest first", "reversed": "Reversed"}, "order", default="best", label="Order"
    )
    ordered = _sort(runs, sort, is_reversed=order == "reversed")
    groups = [] if group == _NO_GROUP else run_comparison.group_runs(ordered, group, metric=metric, names=names)
    if groups:
        ordered = [run for members in groups for run in members.runs]
    key = f"{sort}_{order}_{group}_{len(ordered)}_{ordered[0].run_id[:8]}"
    return _RunTable(ordered, columns, metric, groups, key)


def _choose(box: Any, labels: dict[str, str], parameter: str, *, default: str, label: str) -> str:
    return address.choose(
        box.selectbox,
        list(labels),
        parameter=parameter,
        key=f"experiment_{parameter}",
        default=default,
        format_func=labels.__getitem__,
        label=label,
    )


def _choose_metric(box: Any, ranked: list[str], *, default: str | None) -> str | None:
    if default is None:
        box.caption("No metric with a direction is recorded.")
        return None
    labels = {column: run_comparison.column_label(column) for column in ranked}
    return _choose(box, labels, "metric", default=default, label="Best by")


def _default_columns(available: list[str], metric: str | None) -> list[str]:
    """Return the first two settings, and the usual metrics from the place of the metric that ranks runs."""
    settings = [name for name in available if name.startswith("params.") and not name.endswith("_target_")]
    place = "metrics." if metric is None else metric.rpartition(".")[0]
    metrics = [name for name in available if name.startswith(place) and name.endswith(_DEFAULT_METRICS)]
    return [*settings[:2], *metrics[:4]] or available[:4]


def _sort(runs: list[RecordedRun], sort: str, *, is_reversed: bool) -> list[RecordedRun]:
    if sort == _NEWEST:
        return runs[::-1] if is_reversed else runs
    if sort == "name":
        return sorted(runs, key=lambda run: run.name, reverse=is_reversed)
    return run_comparison.sort_runs(runs, sort, is_reversed=is_reversed)


def _show_best(table: _RunTable, versions: dict[str, int]) -> None:
    if table.metric is None:
        return
    best = run_comparison.best_run(table.runs, table.metric)
    if best is None:
        return
    value = formatting.format_number(best.metrics[table.metric.removeprefix("metrics.")])
    direction = "highest" if run_comparison.higher_is_better(table.metric) else "lowest"
    version = run_comparison_panel.run_version(best, versions)
    text = (
        f"**Best**: {formatting.escape_markdown(run_comparison_panel.run_label(best))},"
        f" {formatting.escape_markdown(run_comparison.column_label(table.metric))} {value} ({direction})"
    )
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f":material/star: {text}", width="content")
        if version is not None:
            links.show_link(f"Version {version}", "models", icon="deployed_code", version=version)


def _show_groups(table: _RunTable) -> None:
    """Show a row for each group: its runs, its best run and the value of that run in each chosen metric."""
    metrics = [name for name in table.columns if name.startswith("metrics.")]
    rows = [
        {
            "Group": group.label,
            "Runs": len(group.runs),
            "Best run": "-" if group.best is None else run_comparison_panel.run_label(group.best),
            **{
                run_comparison.column_label(name): formatting.format_number(_number(group.best, name))
                for name in metrics
            },
        }
        for group in table.groups
    ]
    page.show_table(rows, caption="Groups of runs with the best run of each", marked=[0] if table.metric else ())


def _number(run: RecordedRun | None, column: str) -> float | None:
    return None if run is None else run.metrics.get(column.removeprefix("metrics."))


def _show_runs(table: _RunTable, versions: dict[str, int]) -> list[RecordedRun]:
    """Show the runs, and return the selected ones."""
    wanted = address.chosen_ids("runs")
    positions = [at for at, run in enumerate(table.runs) if run.run_id.startswith(tuple(wanted))] if wanted else []
    group_of = {run.run_id: group.label for group in table.groups for run in group.runs}
    best_ids = table.best_ids
    rows = [
        {
            "Best": "★" if run.run_id in best_ids else "",
            **({"Group": group_of[run.run_id]} if group_of else {}),
            "Run": formatting.shorten(run.name),
            "Version": _version_address(run, versions),
            **{run_comparison.column_label(name): run_comparison.run_value(run, name) for name in table.columns},
            "Kind": run_comparison.run_kind(run) or "-",
            "Status": run.status.lower(),
            "Started": timestamp(run.started_ms * 1000, page.user_time_zone()),
            "Duration": None if run.ended_ms is None else (run.ended_ms - run.started_ms) / 1000,
            "Id": run.run_id[:8],
        }
        for run in table.runs
    ]
    frame = pd.DataFrame(rows)
    selected = page.show_grid(
        frame,
        column_config=_column_config(frame, table.columns),
        on_select="rerun",
        selection_mode="multi-row",
        placeholder="-",
        selection_default={"selection": {"rows": positions}},
        key=f"experiment_rows_{table.key}",
    )
    return [table.runs[at] for at in selected.selection.rows if at < len(table.runs)]


def _version_address(run: RecordedRun, versions: dict[str, int]) -> str | None:
    version = run_comparison_panel.run_version(run, versions)
    return None if version is None else links.page_address("models", version=version)


def _column_config(frame: pd.DataFrame, columns: list[str]) -> dict[str, Any]:
    config: dict[str, Any] = {
        "Best": st.column_config.TextColumn(width=50, help="Best value of the metric in the box `Best by`"),
        "Version": st.column_config.LinkColumn(display_text=r"version=(\d+)", width=70, help="Opens the version"),
        "Duration": st.column_config.NumberColumn(format="%.1f s"),
        **page.time_columns("Started"),
    }
    for name in columns:
        label = run_comparison.column_label(name)
        if name.startswith("metrics."):
            config[label] = st.column_config.NumberColumn(format="%.4f")
        elif not pd.api.types.is_numeric_dtype(frame[label]):
            frame[label] = frame[label].map(_setting_cell)
    return config


def _setting_cell(value: float | str | None) -> str:
    if value is None:
        return ""
    return f"{value:g}" if isinstance(value, float) else formatting.setting_text(value)


def _compared_runs(
    runs: list[RecordedRun], listed: list[RecordedRun], selected: list[RecordedRun]
) -> tuple[list[RecordedRun], bool]:
    """Return the runs to compare, and whether they are the default; the address has the selected ones.

    Runs of the address that another kind hides are still compared.
    """
    listed_ids = {run.run_id for run in listed}
    wanted = tuple(address.chosen_ids("runs"))
    hidden = [run for run in runs if run.run_id not in listed_ids and wanted and run.run_id.startswith(wanted)]
    chosen = [*hidden, *selected]
    address.keep("runs", ",".join(run.run_id[:8] for run in chosen))
    return (chosen, False) if len(chosen) > 1 else (run_comparison.newest_with_curves(listed), True)


def _show_parallel_coordinates(table: _RunTable, compared: list[RecordedRun]) -> None:
    runs = table.runs[:_MAX_LINES]
    columns = [name for name in table.columns if _is_drawable(name, runs)]
    columns = sorted(columns, key=lambda name: name.startswith("metrics."))[:_MAX_AXES]
    if len(runs) < 2 or len(columns) < 2:
        return
    compared = compared[: run_comparison_panel.MAX_COMPARED]
    titles = run_comparison_panel.run_titles(compared)
    selected = {run.run_id: title for run, title in zip(compared, titles, strict=True)}
    frame = pd.DataFrame(
        {
            "run": [run_comparison_panel.run_label(run) for run in runs],
            "role": [
                run_charts.BEST_ROLE
                if run.run_id in table.best_ids
                else selected.get(run.run_id, run_charts.OTHER_ROLE)
                for run in runs
            ],
            **{_axis_title(name): _axis_values(name, runs) for name in columns},
        }
    )
    with st.expander("Settings and metrics as lines, one for each run", expanded=True):
        page.show_chart(
            run_charts.parallel_coordinates(frame, [_axis_title(name) for name in columns]),
            alt="A line for each run through an axis for each column, the best run and the compared ones in color",
        )
        if len(table.runs) > _MAX_LINES:
            st.caption(f"The first {_MAX_LINES} of {len(table.runs):,} runs of the table.")


def _is_drawable(column: str, runs: list[RecordedRun]) -> bool:
    """Return whether the runs differ in a column, and an axis has room for its texts."""
    values = {run_comparison.run_value(run, column) for run in runs}
    texts = {value for value in values if isinstance(value, str)}
    return len(values) > 1 and len(texts) <= _MAX_AXIS_VALUES


def _axis_values(column: str, runs: list[RecordedRun]) -> list[float | str | None]:
    """Return the values of an axis; a setting with few values or with texts has one place for each value."""
    values = [run_comparison.run_value(run, column) for run in runs]
    has_few = column.startswith("params.") and len(set(values)) <= _MAX_PLACES
    if has_few or any(isinstance(value, str) for value in values):
        return [None if value is None else formatting.shorten(_setting_cell(value), 24) for value in values]
    return values


def _axis_title(column: str) -> str:
    return run_comparison.column_label(column).replace(": ", ":\n").replace(".", ".\n")
