"""The settings: what conf/ composes to, which file sets each value, and what changed since the version that serves."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pandas as pd
import streamlit as st

from app import formatting, page, queries
from pipeline.config.composition import flatten
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
    page.render_page("Configuration", "What is declared, where each value comes from, and what changed.", _render_body)


def _render_body() -> None:
    composed, origin = queries.composition()
    values, changed, files = st.tabs(["Values and where they come from", "Since the version that serves", "As YAML"])
    with values:
        _warn_if_stale(composed)
        _show_values(origin)
    with changed:
        page.error_boundary(lambda: _show_changes_since_production(composed))
    with files:
        st.caption("What `mlops config show` prints; `params.yaml` is made of it by the graph.")
        st.code(composed.text, language="yaml")


def _show_values(origin: Sequence[Origin]) -> None:
    asked = st.text_input(
        "Search", key="config_search", placeholder="A key, a value or a file", icon=":material/search:"
    )
    rows = [
        {"Key": one.key, "Value": formatting.setting_text(one.value), "Set in": one.override or one.file or "-"}
        for one in origin
    ]
    wanted = asked.strip().lower()
    shown = [row for row in rows if wanted in " ".join(row.values()).lower()]
    st.caption(f"{len(shown)} of {pluralize(len(rows), 'setting')}. Change one in its file, then run `dvc repro`.")
    page.show_table(pd.DataFrame(shown, columns=["Key", "Value", "Set in"]), height=520)


def _warn_if_stale(composed: Composition) -> None:
    path = queries.project_root() / paths.PARAMS
    written = read_yaml(path) if path.exists() else {}
    stale = _differences(dict(flatten(written or {})), dict(flatten(composed.values)))
    if stale:
        st.warning(
            f"{pluralize(len(stale), 'setting')} of conf/: not as in `params.yaml`, with which the last results were made. Run `dvc repro`.",
            icon=":material/update:",
        )
        page.show_table(_difference_table(stale, "In params.yaml", "In conf/ now"))


def _show_changes_since_production(composed: Composition) -> None:
    serving = queries.current_deployment(queries.config().name)
    digest = serving.digests.get("Production")
    if digest is None:
        page.empty_state("Nothing serves yet", "run `make run`: the first candidate that passes its gates serves")
        return
    run = queries.find_package_run(digest)
    if run is None:
        page.empty_state(
            f"MLflow knows no run of version {serving.version('Production')}",
            "its settings are kept with its run: `mlops tracking sync --all-commits` rebuilds runs of the history",
        )
        return
    now = {key: _param_text(value) for key, value in flatten(queries.displayed_params(composed.values))}
    differing = _differences(run.params, now)
    if not differing:
        st.success(
            f"conf/ is what version {serving.version('Production')} was made with.", icon=":material/check_circle:"
        )
        return
    st.markdown(
        f"{pluralize(len(differing), 'setting')} that results depend on: not as in version {serving.version('Production')}."
    )
    page.show_table(_difference_table(differing, f"Version {serving.version('Production')}", "In conf/ now"))


def _param_text(value: Any) -> str:
    """Return a value as the tracker writes it."""
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    return shorten(text, _MAX_PARAM_LENGTH)


def _differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[tuple[str, Any, Any]]:
    keys = sorted({*before, *after})
    missing = "(not set)"
    pairs = ((key, before.get(key, missing), after.get(key, missing)) for key in keys)
    return [(key, old, new) for key, old, new in pairs if old != new]


def _difference_table(rows: list[tuple[str, Any, Any]], old_label: str, new_label: str) -> pd.DataFrame:
    told = [(key, formatting.setting_text(old), formatting.setting_text(new)) for key, old, new in rows]
    return pd.DataFrame(told, columns=["Key", old_label, new_label])
