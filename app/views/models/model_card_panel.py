"""The model card of a version: the full one of its evaluation, or the short one of its package."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import streamlit as st

from pipeline.gates import GateReport

from ... import formatting, queries

if TYPE_CHECKING:
    from pipeline.state import ModelVersion

__all__ = ["below_page_title", "show_model_card"]

_HEADING = re.compile(r"^(#{1,6})(?= )", re.MULTILINE)
_LEVELS_BELOW_TITLE = 3


def show_model_card(version: ModelVersion) -> None:
    """Show the card with a download."""
    evaluation = queries.find_package_evaluation(version.digest)
    card = "" if evaluation is None else evaluation.card
    if not card:
        card = queries.load_package(version.digest).card
        st.caption("The card of the package: neither reports/ nor MLflow has the one with test metrics.")
    gates = version.tags.get("gates")
    if gates is not None:
        card = f"{card.rstrip()}\n\n{GateReport.from_dict(gates).as_markdown()}"
    st.download_button("Download model card", card, "model_card.md", "text/markdown", icon=":material/download:")
    with st.container(border=True):
        st.markdown(formatting.inert_markdown(below_page_title(card)))


def below_page_title(card: str) -> str:
    r"""Return Markdown whose headings are smaller than the title of a page.

    Examples
    --------
    >>> below_page_title("# Card\n## Metrics\ntext # 1")
    '#### Card\n##### Metrics\ntext # 1'
    """
    return _HEADING.sub(lambda match: "#" * min(len(match[1]) + _LEVELS_BELOW_TITLE, 6), card)
