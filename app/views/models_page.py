"""The versions of the model: which serves, what their gates said, how good they are, and who decided what."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
import streamlit as st

from app import formatting, page, queries
from app.views import promotion_form, version_metrics
from pipeline.text import timestamp

if TYPE_CHECKING:
    from pipeline.package import Package
    from pipeline.state import AuditEntry, ModelVersion

__all__ = ["render"]


def render() -> None:
    """Show the page."""
    page.render_page("Models", "Which versions there are, which one serves, why, and who decided it.", _render_body)


def _render_body() -> None:
    model = queries.config().name
    versions = queries.versions(model)
    if not versions:
        page.empty_state(
            "No version is registered yet", "run `make run`: a candidate that passes its gates becomes a version"
        )
        return
    _show_versions(versions)
    chosen = _select_version(versions)
    st.markdown(
        f"### Version {chosen.version} ({formatting.escape_markdown(chosen.semver)}) {page.stage_badge(chosen.stage)}"
    )
    st.caption(
        f"{formatting.escape_markdown(chosen.tags.get('model', ''))}, package `{chosen.digest[:12]}`, registered {page.timestamp(chosen.registered_at)}"
    )
    promotion_form.show_stage_actions(chosen, versions)
    gates, figures, card, lineage, audit = st.tabs(
        ["Gates", "How good it is", "Model card", "Lineage", "Audit trail"], key="models_tab", on_change="rerun"
    )
    with gates:
        _show_gates(chosen)
    if figures.open:
        with figures:
            page.error_boundary(lambda: version_metrics.show_version_metrics(chosen))
    with card:
        page.error_boundary(lambda: _show_model_card(queries.load_package(chosen.digest)))
    with lineage:
        page.error_boundary(lambda: _show_lineage(chosen))
    with audit:
        page.error_boundary(lambda: _show_audit_trail(queries.audit_entries(model, limit=200)))


def _show_versions(versions: list[ModelVersion]) -> None:
    rows = [
        {
            "Version": one.version,
            "Stage": one.stage,
            "Gates": _gate_verdict(one),
            "Kind": one.tags.get("model", ""),
            "Name": one.semver,
            "Registered": timestamp(one.registered_at, page.user_time_zone()),
            "Description": one.description,
        }
        for one in reversed(versions)
    ]
    page.show_table(pd.DataFrame(rows), column_config=page.time_columns("Registered"))


def _gate_verdict(version: ModelVersion) -> str:
    gates = version.tags.get("gates")
    return str(gates["verdict"]) if gates is not None else "not judged"


def _select_version(versions: list[ModelVersion]) -> ModelVersion:
    by_number = {one.version: one for one in versions}
    serving = next((one.version for one in versions if one.stage == "Production"), versions[-1].version)
    asked = st.query_params.get("version", "")
    first = int(asked) if asked.isdigit() and int(asked) in by_number else serving
    numbers = sorted(by_number, reverse=True)
    picked = st.selectbox(
        "Version to look at",
        numbers,
        index=numbers.index(first),
        format_func=lambda number: f"Version {number}, {by_number[number].stage}",
        key="models_version",
    )
    if picked is not None and picked != serving:
        st.query_params["version"] = str(picked)
    elif "version" in st.query_params:
        del st.query_params["version"]
    return by_number[picked if picked is not None else first]


def _show_gates(version: ModelVersion) -> None:
    gates = version.tags.get("gates")
    if gates is None:
        page.empty_state(
            "Never judged", "this version was registered without gates; only force, with a reason, moves it further"
        )
        return
    page.badge(str(gates["verdict"]))
    champion = gates["champion"]
    st.caption(f"Against {f'champion `{champion[:12]}`' if champion else 'no champion: nothing served yet'}")
    rows = [
        {
            "Result": one["result"],
            "Gate": one["name"],
            "Why": one["reason"],
            "Value": formatting.format_number(one["value"]),
            "Limit": _threshold_text(one["limit"], one["fails_when"]),
            "Unit": one["unit"],
        }
        for one in sorted(gates["gates"], key=lambda gate: ("fail", "hold", "pass").index(gate["result"]))
    ]
    page.show_table(pd.DataFrame(rows))


def _threshold_text(threshold: float | None, fails_when: str | None) -> str:
    if threshold is None or fails_when is None:
        return "-"
    return f"{'at most' if fails_when == 'above' else 'at least'} {formatting.format_number(threshold)}"


def _show_model_card(package: Package) -> None:
    st.download_button("Download the card", package.card, "model_card.md", "text/markdown", icon=":material/download:")
    with st.container(border=True):
        st.markdown(package.card)


def _show_lineage(version: ModelVersion) -> None:
    package = queries.load_package(version.digest)
    run = queries.find_package_run(version.digest)
    told = {"package": version.digest, **package.lineage}
    if run is not None:
        told["mlflow run"] = f"{run.name} ({run.run_id})"
        told |= {name: run.tags[name] for name in ("git.commit", "git.branch", "git.dirty") if name in run.tags}
    else:
        st.caption("MLflow knows no run that recorded this package.")
    rows = [(formatting.humanize(name), formatting.setting_text(value)) for name, value in told.items()]
    page.show_table(pd.DataFrame(rows, columns=["What", "Value"]))


def _show_audit_trail(entries: list[AuditEntry]) -> None:
    if not entries:
        page.empty_state("Nothing was decided yet", "promote a version: each decision is kept here with its reason")
        return
    rows = [
        {
            "When": timestamp(one.recorded_at, page.user_time_zone()),
            "Who": one.actor,
            "What": one.action,
            "Version": one.version,
            "Why": one.reason,
            "Serves then": _stage_versions(one),
            "Generation": one.generation,
        }
        for one in entries
    ]
    page.show_table(pd.DataFrame(rows), column_config=page.time_columns("When"))
    st.caption("Each entry carries the hash of the one before; `mlops audit verify` proves that nobody changed one.")


def _stage_versions(entry: AuditEntry) -> str:
    placed = [f"{stage}: {one['version']}" for stage, one in entry.after.items() if isinstance(one, dict)]
    return ", ".join(placed)
