"""The models page: registered versions, stages, gates, metrics, lineage and audit trail."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
import streamlit as st

from app import address, formatting, page, queries
from app.views import fairness_panel, importance_panel, override_mark, promotion_form, version_metrics
from pipeline.gates import GateReport
from pipeline.text import timestamp

if TYPE_CHECKING:
    from pipeline.package import Package
    from pipeline.state import AuditEntry, ModelVersion

__all__ = ["render"]


def render() -> None:
    """Show the page."""
    page.render_page("Models", "Registered versions, stages, gates and audit trail.", _render_body)


def _render_body() -> None:
    model = queries.config().name
    versions = queries.versions(model)
    if not versions:
        page.empty_state(
            "No version is registered yet", "run `make run`, which registers the trained model as a version"
        )
        return
    _show_versions(versions)
    selected = _select_version(versions)
    semver = formatting.escape_markdown(selected.semver)
    st.markdown(f"### Version {selected.version} ({semver}) {page.stage_badge(selected.stage)}")
    st.caption(
        f"{formatting.escape_markdown(selected.tags.get('model', ''))}, package `{selected.digest[:12]}`,"
        f" registered {page.timestamp(selected.registered_at)}"
    )
    override_mark.show_override(selected)
    promotion_form.show_stage_actions(selected, versions)
    _show_tabs(selected)


def _show_tabs(selected: ModelVersion) -> None:
    """Show what is known about a version; a tab with slow queries runs them when it is open."""
    gates, metrics, fairness, importance, card, lineage, audit = st.tabs(
        ["Gates", "Metrics", "Fairness", "Importance", "Model card", "Lineage", "Audit trail"],
        key="models_tab",
        on_change="rerun",
        bind="query-params",
    )
    with gates:
        _show_gates(selected)
    if metrics.open:
        with metrics:
            page.error_boundary(lambda: version_metrics.show_version_metrics(selected))
    if fairness.open:
        with fairness:
            page.error_boundary(lambda: _show_fairness(selected))
    if importance.open:
        with importance:
            page.error_boundary(lambda: importance_panel.show_importance(selected))
    with card:
        page.error_boundary(lambda: _show_model_card(queries.load_package(selected.digest)))
    with lineage:
        page.error_boundary(lambda: _show_lineage(selected))
    with audit:
        page.error_boundary(lambda: _show_audit_trail(queries.audit_entries(selected.model, limit=200)))


def _show_versions(versions: list[ModelVersion]) -> None:
    rows = [
        {
            "Version": version.version,
            "Stage": version.stage,
            "Gates": _gate_verdict(version),
            "Estimator": version.tags.get("model", ""),
            "Semantic version": version.semver,
            "Registered": timestamp(version.registered_at, page.user_time_zone()),
            "Description": version.description,
        }
        for version in reversed(versions)
    ]
    page.show_table(pd.DataFrame(rows))


def _gate_verdict(version: ModelVersion) -> str:
    gates = version.tags.get("gates")
    return str(gates["verdict"]) if gates is not None else "not evaluated"


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
    page.badge(str(gates["verdict"]))
    champion = gates["champion"]
    st.caption(f"Champion: `{champion[:12]}`" if champion else "No champion to compare with")
    compared = GateReport.from_dict(gates).compared
    if compared is not None:
        st.caption(f"{str(compared).capitalize()}.")
    rows = [
        {
            "Result": gate["result"],
            "Gate": gate["name"],
            "Reason": gate["reason"],
            "Value": formatting.format_number(gate["value"]),
            "Threshold": _threshold_text(gate["threshold"], gate["fails_when"]),
            "Unit": gate["unit"],
        }
        for gate in sorted(gates["gates"], key=lambda gate: ("fail", "hold", "pass").index(gate["result"]))
    ]
    page.show_table(pd.DataFrame(rows))


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
    fairness_panel.show_fairness(evaluation.report["fairness"], titles)


def _show_model_card(package: Package) -> None:
    st.download_button(
        "Download model card", package.card, "model_card.md", "text/markdown", icon=":material/download:"
    )
    with st.container(border=True):
        st.markdown(formatting.inert_markdown(package.card))


def _show_lineage(version: ModelVersion) -> None:
    package = queries.load_package(version.digest)
    run = queries.find_package_run(version.digest)
    lineage = {"package": version.digest, **package.lineage}
    if run is not None:
        lineage["mlflow run"] = f"{run.name} ({run.run_id})"
        lineage |= {name: run.tags[name] for name in ("git.commit", "git.branch", "git.dirty") if name in run.tags}
    else:
        st.caption("MLflow has no run of this package.")
    rows = [(formatting.humanize(name), formatting.setting_text(value)) for name, value in lineage.items()]
    page.show_table(pd.DataFrame(rows, columns=["Item", "Value"]))


def _show_audit_trail(entries: list[AuditEntry]) -> None:
    if not entries:
        page.empty_state("No decision yet", "promote a version; the audit trail lists each decision with its reason")
        return
    rows = [
        {
            "Time": timestamp(entry.recorded_at, page.user_time_zone()),
            "Actor": entry.actor,
            "Action": entry.action,
            "Version": entry.version,
            "Reason": entry.reason,
            "Stages after": _stage_versions(entry),
            "Generation": entry.generation,
        }
        for entry in entries
    ]
    page.show_table(pd.DataFrame(rows))
    st.caption("Each entry has the hash of the previous one; `mlops audit verify` detects altered entries.")


def _stage_versions(entry: AuditEntry) -> str:
    return ", ".join(
        f"{stage}: {deployed['version']}" for stage, deployed in entry.after.items() if isinstance(deployed, dict)
    )
