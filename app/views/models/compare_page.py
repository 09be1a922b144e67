"""The compare page: two versions side by side, with the decision in the same view."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from ... import address, formatting, links, page, queries
from ...page_queries import comparison_queries
from . import comparison_panel, live_comparison, override_mark, promotion_form

if TYPE_CHECKING:
    from pipeline.state import ModelVersion
    from pipeline.version_comparison import EvaluationComparison

__all__ = ["render"]

_VERDICT_ICONS = {"better": "trending_up", "worse": "trending_down"}


def render() -> None:
    """Show the page."""
    page.render_page("Compare", "Two versions side by side, and the decision.", _render_body)


def _render_body() -> None:
    versions = queries.versions(queries.config().name)
    if len(versions) < 2:
        page.empty_state(
            "There is no second version",
            "change a setting and run `dvc repro`, which registers another version; for example"
            " `dvc exp run -S model=random_forest`",
        )
        return
    pair = _select_pair(versions)
    if pair[0].version == pair[1].version:
        page.empty_state("One version is selected twice", "select two different versions")
        return
    diff = comparison_queries.version_diff(*pair)
    _show_verdict(diff.evaluation)
    override_mark.show_overrides(pair)
    schema = queries.load_package(pair[1].digest).schema
    left, right = st.columns([2, 1], gap="medium")
    with left:
        comparison_panel.show_metrics(diff.evaluation)
        page.error_boundary(lambda: live_comparison.show_live_comparison(pair))
    with right:
        with st.container(border=True):
            page.error_boundary(lambda: promotion_form.show_decision(_candidate(pair), versions))
        comparison_panel.show_gates(diff)
    left, right = st.columns(2, gap="medium")
    with left, st.container(key="compare_settings"):
        comparison_panel.show_settings(diff)
    with right:
        comparison_panel.show_slices(diff.evaluation, schema)
    comparison_panel.show_curves(diff.evaluation)
    comparison_panel.show_fairness(diff.evaluation, schema)
    comparison_panel.show_properties(diff)


def _select_pair(versions: list[ModelVersion]) -> tuple[ModelVersion, ModelVersion]:
    """Return both versions: by default the one in Production, and the newest other one."""
    by_number = {version.version: version for version in versions}
    numbers = sorted(by_number, reverse=True)
    production = next((version.version for version in versions if version.stage == "Production"), None)
    first_default = numbers[1] if production is None else production
    second_default = next(number for number in numbers if number != first_default)
    chosen = []
    columns = st.columns([4, 4, 1], vertical_alignment="bottom")
    for column, name, default in zip(columns, ("first", "second"), (first_default, second_default), strict=False):
        with column:
            number = address.choose(
                st.selectbox,
                numbers,
                parameter=name,
                key=f"compare_{name}",
                default=default,
                format_func=lambda number: _version_label(by_number[number]),
                label=f"{name.capitalize()} version",
            )
            chosen.append(by_number[number])
    with columns[2]:
        links.show_link("Swap", "compare", icon="swap_horiz", first=chosen[1].version, second=chosen[0].version)
    return chosen[0], chosen[1]


def _version_label(version: ModelVersion) -> str:
    stage = f", {version.stage}" if version.stage != "None" else ""
    return formatting.shorten(f"Version {version.version}{stage}: {version.tags.get('model', version.semver)}", 70)


def _candidate(pair: tuple[ModelVersion, ModelVersion]) -> ModelVersion:
    """Return the version that may be promoted: the second one, unless it is in Production already."""
    return pair[1] if pair[1].stage != "Production" else pair[0]


def _show_verdict(evaluation: EvaluationComparison) -> None:
    text = formatting.message_markdown(evaluation.summary)
    icon = f":material/{_VERDICT_ICONS.get(evaluation.verdict, 'balance')}:"
    show = {"better": st.success, "worse": st.error}.get(evaluation.verdict, st.info)
    show(f"**{text}**", icon=icon)
