"""The mark of a production version that did not pass its gates; it stays as long as the version serves."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from app import formatting, queries
from pipeline.text import pluralize

if TYPE_CHECKING:
    from pipeline.state import ModelVersion

__all__ = ["show_override"]


def show_override(version: ModelVersion | None) -> None:
    """Show which gates a version in Production did not pass, with who decided and why; nothing for other versions."""
    if version is None or version.stage != "Production":
        return
    gates = version.tags.get("gates")
    if gates is not None and gates["verdict"] == "promote":
        return
    n_failed = 0 if gates is None else sum(gate["result"] != "pass" for gate in gates["gates"])
    state = "without evaluated gates" if gates is None else f"although {pluralize(n_failed, 'gate')} did not pass"
    entries = queries.audit_entries(version.model)
    entry = next((entry for entry in entries if (entry.action, entry.version) == ("force", version.version)), None)
    decision = (
        ""
        if entry is None
        else f" {formatting.escape_markdown(entry.actor)} overrode them: {formatting.escape_markdown(entry.reason)}."
    )
    st.warning(f"Version {version.version} is in Production {state}.{decision}", icon=":material/gpp_maybe:")
