"""The configuration page: composed settings, their origin, and changes since the production version."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pandas as pd
import streamlit as st

from app import formatting, page, queries
from pipeline.config.composition import flatten_settings
from pipeline.config.strict_yaml import read_yaml
from pipeline.project import paths
from pipeline.text import pluralize, shorten

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pipeline.config.composition import Composition, Origin

__all__ = ["render"]

_MAX_PARAM_LENGTH = 6000


def render() -> None:
    """Show the page."""
    page.render_page("Configuration", "Settings, their origin, and changes since the production version.", _render_body)


def _render_body() -> None:
    composed, origin = queries.composition()
    values, changed, files = st.tabs(
        ["Values and origin", "Changes since production", "YAML"], key="configuration_tab", bind="query-params"
    )
    with values:
        _warn_if_stale(composed)
        _show_values(origin)
    with changed:
        page.error_boundary(lambda: _show_changes_since_production(composed))
    with files:
        st.caption("Output of `mlops config show`; `dvc repro` writes it to `params.yaml`.")
        st.code(composed.text, language="yaml")


def _show_values(origin: Sequence[Origin]) -> None:
    query = st.text_input(
        "Search", key="config_search", placeholder="A key, a value or a file", icon=":material/search:"
    )
    rows = [
        {"Key": entry.key, "Value": formatting.setting_text(entry.value), "Set in": entry.override or entry.file or "-"}
        for entry in origin
    ]
    text = query.strip().lower()
    matches = [row for row in rows if text in " ".join(row.values()).lower()]
    st.caption(
        f"{len(matches)} of {pluralize(len(rows), 'setting')}. Change a setting in its file, then run `dvc repro`."
    )
    page.show_grid(pd.DataFrame(matches, columns=["Key", "Value", "Set in"]), height=520)


def _warn_if_stale(composed: Composition) -> None:
    path = queries.project_root() / paths.PARAMS
    written = read_yaml(path) if path.exists() else {}
    stale = _differences(dict(flatten_settings(written or {})), dict(flatten_settings(composed.values)))
    if stale:
        st.warning(
            f"{pluralize(len(stale), 'setting')} of conf/ differ from `params.yaml`, the settings of the last run."
            " Run `dvc repro`.",
            icon=":material/update:",
        )
        page.show_table(_difference_table(stale, "In params.yaml", "In conf/ now"))


def _show_changes_since_production(composed: Composition) -> None:
    deployment = queries.current_deployment(queries.config().name)
    digest = deployment.digests.get("Production")
    if digest is None:
        page.empty_state(
            "No version is in Production yet",
            "run `make run`, which promotes the first version that passes its gates",
        )
        return
    version = deployment.version("Production")
    run = queries.find_package_run(digest)
    if run is None:
        page.empty_state(
            f"MLflow has no run of version {version}",
            "the run has its settings; `mlops tracking sync --all-commits` rebuilds the runs of the git history",
        )
        return
    now = {key: _param_text(value) for key, value in flatten_settings(queries.displayed_params(composed.values))}
    differing = _differences(run.params, now)
    if not differing:
        st.success(f"conf/ has the settings of version {version}.", icon=":material/check_circle:")
        return
    st.markdown(f"{pluralize(len(differing), 'setting')} differ from version {version}.")
    page.show_table(_difference_table(differing, f"Version {version}", "In conf/ now"))


def _param_text(value: Any) -> str:
    """Return a value as the tracker logs it."""
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    return shorten(text, _MAX_PARAM_LENGTH)


def _differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[tuple[str, Any, Any]]:
    keys = sorted({*before, *after})
    missing = "(not set)"
    pairs = ((key, before.get(key, missing), after.get(key, missing)) for key in keys)
    return [(key, old, new) for key, old, new in pairs if old != new]


def _difference_table(rows: list[tuple[str, Any, Any]], old_label: str, new_label: str) -> pd.DataFrame:
    values = [(key, formatting.setting_text(old), formatting.setting_text(new)) for key, old, new in rows]
    return pd.DataFrame(values, columns=["Key", old_label, new_label])
