"""The mark of a production version that did not pass its gates; it is shown as long as the version is in Production."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from app import formatting, queries
from pipeline.production_status import find_gate_override

if TYPE_CHECKING:
    from pipeline.state import ModelVersion

__all__ = ["show_override"]


def show_override(version: ModelVersion | None) -> None:
    """Show which gates a version in Production did not pass, with who decided and why; nothing for other versions."""
    override = None if version is None else find_gate_override(version, queries.audit_entries(version.model))
    if override is not None:
        st.warning(formatting.message_markdown(formatting.shorten(override.sentence, 600)), icon=":material/gpp_maybe:")
