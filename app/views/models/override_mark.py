"""The mark of a version that was deployed although its gates did not pass; shown as long as it is deployed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from pipeline.production_status import find_gate_override

from ... import formatting, queries

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.state import ModelVersion

__all__ = ["overridden_versions", "show_overrides"]


def overridden_versions(versions: Sequence[ModelVersion]) -> set[int]:
    """Return the numbers of the deployed versions whose gates did not pass."""
    return {version.version for version in versions if find_gate_override(version, ()) is not None}


def show_overrides(versions: Sequence[ModelVersion]) -> None:
    """Show which gates a deployed version did not pass, with who decided and why; nothing for other versions."""
    if not versions:
        return
    entries = queries.audit_entries(versions[0].model)
    for version in versions:
        override = find_gate_override(version, entries)
        if override is not None:
            text = formatting.message_markdown(formatting.shorten(override.sentence, 600))
            st.warning(text, icon=":material/gpp_maybe:")
