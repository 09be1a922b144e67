"""The lineage of a version: what it was trained from, and whether its commit had uncommitted edits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd
import streamlit as st

from ... import formatting, page, queries

if TYPE_CHECKING:
    from pipeline.state import ModelVersion

__all__ = ["dirty_badge", "show_lineage"]

_REVISION_TAGS = ("git.commit", "git.branch", "git.dirty", "dvc.experiment")


def dirty_badge(version: ModelVersion) -> str:
    """Return the Markdown of a warning if files differed from the commit at training; empty otherwise."""
    if version.tags.get("git.dirty") != "true":
        return ""
    return ":orange-badge[:material/warning: uncommitted edits at training]"


def show_lineage(version: ModelVersion) -> None:
    """Show the hashes, the seed, the commit and the run of a version."""
    if version.tags.get("git.dirty") == "true":
        st.warning(
            "Files differed from the commit at training. Commit them and run `dvc repro` to make this version"
            " reproducible.",
            icon=":material/warning:",
        )
    lineage = {"package": version.digest, **queries.load_package(version.digest).lineage}
    n_settings = len(lineage.pop("settings", {}))
    lineage |= {name: version.tags[name] for name in _REVISION_TAGS if name in version.tags}
    rows = list(_lineage_rows(lineage))
    if n_settings:
        rows.append(("settings of training", f"{n_settings}; the page Compare lists those that differ"))
    with st.spinner("Reading MLflow ..."):
        run = queries.find_package_run(version.digest)
    rows.append(("MLflow run", "none has this package" if run is None else f"{run.name} ({run.run_id})"))
    page.show_table(pd.DataFrame(rows, columns=["Item", "Value"]), caption="Lineage of this version")


def _lineage_rows(lineage: dict[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    rows = []
    for name, value in lineage.items():
        label = f"{prefix}{formatting.humanize(name)}"
        if isinstance(value, dict):
            rows += _lineage_rows(value, f"{label}: ")
        else:
            text = ", ".join(map(str, value)) if isinstance(value, list) else value
            rows.append((label, formatting.setting_text(text)))
    return rows
