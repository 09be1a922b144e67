"""Texts of users stay texts in every Markdown that the project writes."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from pipeline.gates import Gate, GateReport
from pipeline.markdown_text import code_span, escape_markdown, markdown_table
from pipeline.registry.descriptions import mlflow_description
from pipeline.state import ModelVersion

HOSTILE = (
    "<img src=x onerror=alert(1)>",
    "![p](https://evil.example/p.png)",
    "[Approve](https://evil.example)",
    "<script>alert(3)</script>",
    "</td></tr></table><h1>approved</h1>",
    "https://evil.example",
    "www.evil.example",
    "<https://evil.example>",
    "mailto:eve@evil.example",
    "@everyone approve",
    "[a]: https://evil.example\n\n[a]",
    "x | y | z",
    "`<b>`",
    "``` \n<b>",
    "&lt;b&gt; &#60;b&#62;",
    "a\n\n# heading\n\n- item",
    "\\[a](b)",
    "\u202egnp.exe",
    "zero\u200bwidth",
)
_RENDERER = MarkdownIt("commonmark").enable("table")
_FORBIDDEN = {
    "image",
    "link_open",
    "html_inline",
    "html_block",
    "heading_open",
    "fence",
    "code_block",
    "bullet_list_open",
}


def token_types(markdown: str) -> set[str]:
    return {token.type for block in _RENDERER.parse(markdown) for token in (block, *(block.children or ()))}


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("write", [escape_markdown, code_span])
def test_a_hostile_text_becomes_no_markup(text: str, write: object) -> None:
    assert callable(write)
    written = write(text)
    assert not token_types(f"before {written} after") & _FORBIDDEN
    assert "\n" not in written
    if not written.startswith("`"):  # what renderers link without markup; never in code
        assert not re.search(r"\w://|www\.|mailto:|@\w", written)


@given(st.text())
def test_any_text_becomes_one_line_without_links_html_and_images(text: str) -> None:
    for written in (escape_markdown(text), code_span(text)):
        assert not token_types(f"x {written} x") & {"image", "link_open", "html_inline", "html_block"}
        assert len(written.splitlines()) <= 1


@given(st.text(st.characters(exclude_categories=["Cc", "Cf", "Cs", "Zl", "Zp"], exclude_characters="@:.")))
def test_a_text_reads_as_it_was_written(text: str) -> None:
    html = _RENDERER.renderInline(escape_markdown(f"x{text}x".replace("*", "").replace("_", "").replace("~", "")))
    shown = re.sub(r"&(amp|lt|gt|quot);", lambda match: {"amp": "&", "lt": "<", "gt": ">", "quot": '"'}[match[1]], html)
    assert shown == " ".join(f"x{text}x".replace("*", "").replace("_", "").replace("~", "").split())


@pytest.mark.parametrize("name", ["Time_spent_Alone", "age", "a.b", "3rd value", "größe"])
def test_an_ordinary_name_stays_readable(name: str) -> None:
    assert (escape_markdown(name), code_span(name)) == (name, f"`{name}`")


def test_a_cell_cannot_add_a_column() -> None:
    lines = list(markdown_table(("a", "b"), [(escape_markdown("x | y"), code_span("z|"))]))
    rows = [token for token in _RENDERER.parse("\n".join(lines)) if token.type == "td_open"]
    assert len(rows) == 2


@pytest.mark.parametrize("text", HOSTILE)
def test_gates_and_descriptions_show_hostile_texts_as_text(text: str) -> None:
    gates = GateReport("0" * 64, None, (Gate(text, "pass", text),))
    version = ModelVersion(text, 1, "0" * 64, "1.0.0", "None", text, {"data": text, "gates": gates.as_dict()}, 1)
    for markdown in (gates.as_markdown(), mlflow_description(version)):
        assert not token_types(markdown) & {"image", "link_open", "html_inline", "html_block", "fence"}
