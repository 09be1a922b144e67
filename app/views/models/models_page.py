"""The models page: registered versions, stages, gates, metrics, lineage and audit trail."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import streamlit as st

from pipeline.gates import GateReport
from pipeline.metrics.metric_labels import label_metrics, metric_label
from pipeline.text import timestamp

from ... import address, formatting, html_table, links, page, queries
from ...page_queries import fairness_queries
from . import (
    fairness_panel,
    importance_panel,
    model_card_panel,
    override_mark,
    promotion_form,
    version_lineage,
    version_metrics,
)

if TYPE_CHECKING:
    from pipeline.state import AuditEntry, ModelVersion

__all__ = ["render"]

_VERDICT_COLORS = {"promote": "green", "hold": "orange", "reject": "red"}
_STAGE_COLORS = {"Production": "green", "Staging": "blue"}
_RESULT_COLORS = {"pass": "green", "hold": "orange", "fail": "red"}


def render() -> None:
    """Show the page."""
    page.render_page("Models", "Registered versions, stages, gates and audit trail.", _render_body)


def _render_body() -> None:
    model = queries.config().name
    versions = queries.versions(model)
    if not versions:
        page.empty_state("No version is registered yet", queries.production_step(model))
        return
    _show_versions(versions)
    left, middle, right = st.columns([4, 4, 2], vertical_alignment="bottom")
    with left:
        selected = _select_version(versions)
    with middle:
        promotion_form.show_stage_actions(selected, versions)
    with right:
        _show_comparison_link(selected, versions)
    semver = formatting.escape_markdown(selected.semver)
    st.markdown(
        f"### Version {selected.version} ({semver}) {page.stage_badge(selected.stage)}"
        f" {version_lineage.dirty_badge(selected)}"
    )
    st.caption(
        f"{formatting.escape_markdown(selected.tags.get('model', ''))}, package `{selected.digest[:12]}`,"
        f" registered {page.timestamp(selected.registered_at)}"
    )
    override_mark.show_overrides([selected])
    _show_tabs(selected)


def _show_tabs(selected: ModelVersion) -> None:
    """Show what is known about a version; each tab runs its queries when it is open."""
    parts = {
        "Gates": lambda: _show_gates(selected),
        "Metrics": lambda: version_metrics.show_version_metrics(selected),
        "Fairness": lambda: _show_fairness(selected),
        "Importance": lambda: importance_panel.show_importance(selected),
        "Model card": lambda: model_card_panel.show_model_card(selected),
        "Lineage": lambda: version_lineage.show_lineage(selected),
        "Audit trail": lambda: _show_audit_trail(queries.audit_entries(selected.model, limit=200)),
    }
    tabs = st.tabs(list(parts), key="models_tab", on_change="rerun", bind="query-params")
    for tab, show in zip(tabs, parts.values(), strict=True):
        if tab.open:
            with tab:
                page.error_boundary(show)


def _show_versions(versions: list[ModelVersion]) -> None:
    production = next((version.version for version in versions if version.stage == "Production"), None)
    metric = queries.config().training.selection_metric
    overridden = override_mark.overridden_versions(versions)
    rows = [
        {
            "Version": html_table.Link(str(version.version), links.page_address("models", version=version.version)),
            "Stage": html_table.Badge(version.stage, _STAGE_COLORS.get(version.stage, "gray")),
            "Gates": _gate_badge(version, is_overridden=version.version in overridden),
            "Compare": _comparison_link(version.version, production),
            "Estimator": version.tags.get("model", ""),
            f"{metric_label(metric)}, test": formatting.format_number(_test_metric(version, metric)),
            "Semantic version": version.semver,
            "Registered": timestamp(version.registered_at, page.user_time_zone()),
            "Description": version.description,
        }
        for version in reversed(versions)
    ]
    page.show_table(rows, caption="Registered versions")


def _test_metric(version: ModelVersion, metric: str) -> float | None:
    metrics = (version.tags.get("evaluation") or {}).get("metrics") or {}
    value: float | None = metrics.get(metric, {}).get("value")
    return value


def _comparison_link(version: int, production: int | None) -> html_table.Link | str:
    if production is None or version == production:
        return ""
    return html_table.Link("with production", links.page_address("compare", first=production, second=version))


def _show_comparison_link(selected: ModelVersion, versions: list[ModelVersion]) -> None:
    production = next((version.version for version in versions if version.stage == "Production"), None)
    if production is not None and len(versions) > 1:
        second = None if selected.version == production else selected.version
        links.show_link("Compare with production", "compare", icon="compare_arrows", first=production, second=second)


def _gate_badge(version: ModelVersion, *, is_overridden: bool) -> html_table.Badge:
    gates = version.tags.get("gates")
    verdict = str(gates["verdict"]) if gates is not None else "not evaluated"
    if is_overridden:
        return html_table.Badge(f"{verdict}, overridden", "red")
    return html_table.Badge(verdict, _VERDICT_COLORS.get(verdict, "gray"))


def _select_version(versions: list[ModelVersion]) -> ModelVersion:
    by_number = {version.version: version for version in versions}
    production = next((version.version for version in versions if version.stage == "Production"), versions[-1].version)
    number = address.choose(
        st.selectbox,
        sorted(by_number, reverse=True),
        parameter="version",
        key="models_version",
        default=production,
        format_func=lambda number: f"Version {number}, {by_number[number].stage}",
        label="Version",
    )
    return by_number[number]


def _show_gates(version: ModelVersion) -> None:
    gates = version.tags.get("gates")
    if gates is None:
        page.empty_state(
            "Gates not evaluated",
            "this version was registered without gates; promote it by overriding the gates, with a reason",
        )
        return
    champion = gates["champion"]
    compared = GateReport.from_dict(gates).compared
    with st.container(horizontal=True, vertical_alignment="center"):
        page.badge(str(gates["verdict"]))
        against = f"Champion: `{champion[:12]}`." if champion else "No champion to compare with."
        st.caption(against if compared is None else f"{against} {str(compared).capitalize()}.")
    rows = [
        {
            "Result": html_table.Badge(gate["result"], _RESULT_COLORS.get(gate["result"], "gray")),
            "Gate": label_metrics(gate["name"]).replace("_", " "),
            "Reason": label_metrics(gate["reason"]),
            "Value": formatting.format_number(gate["value"]),
            "Threshold": _threshold_text(gate["threshold"], gate["fails_when"]),
            "Unit": gate["unit"],
        }
        for gate in sorted(gates["gates"], key=lambda gate: ("fail", "hold", "pass").index(gate["result"]))
    ]
    page.show_table(rows, caption="Gates of this version")


def _threshold_text(threshold: float | None, fails_when: str | None) -> str:
    if threshold is None or fails_when is None:
        return "-"
    return f"{'at most' if fails_when == 'above' else 'at least'} {formatting.format_number(threshold)}"


def _show_fairness(version: ModelVersion) -> None:
    evaluation = queries.find_package_evaluation(version.digest)
    if evaluation is None or "fairness" not in evaluation.report:
        page.empty_state(
            "The groups of this version were not compared", "the graph compares them: see `reports/evaluation.json`"
        )
        return
    titles = {column.name: column.label for column in queries.load_package(version.digest).schema.columns}
    live = fairness_queries.recorded_groups_by_run(version.model, version.version)
    fairness_panel.show_fairness(evaluation.report["fairness"], titles, live=live)


def _show_audit_trail(entries: list[AuditEntry]) -> None:
    if not entries:
        page.empty_state("No decision yet", "promote a version; the audit trail lists each decision with its reason")
        return
    rows = [
        {
            "Time": timestamp(entry.recorded_at, page.user_time_zone()),
            "Actor": entry.actor,
            "Action": entry.action,
            "Version": _version_link(entry.version),
            "Reason": entry.reason,
            "Stages after": _stage_versions(entry),
            "Generation": entry.generation,
        }
        for entry in entries
    ]
    page.show_table(rows, caption="Audit trail")
    st.caption("Each entry has the hash of the previous one; `mlops audit verify` detects altered entries.")


def _version_link(version: int | None) -> Any:
    return None if version is None else html_table.Link(str(version), links.page_address("models", version=version))


def _stage_versions(entry: AuditEntry) -> str:
    return ", ".join(
        f"{stage}: {deployed['version']}" for stage, deployed in entry.after.items() if isinstance(deployed, dict)
    )
