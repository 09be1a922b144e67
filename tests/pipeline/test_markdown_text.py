"""Texts of users stay texts in every Markdown that the project writes."""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from pipeline.gates import Gate, GateReport
from pipeline.markdown_text import code_span, escape_markdown, markdown_table
from pipeline.registry.descriptions import mlflow_description
from pipeline.state import ModelVersion
from pipeline.text import visible_text

if TYPE_CHECKING:
    from collections.abc import Callable

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
    "# heading",
    "- item",
    "1. item",
    "12) item",
    "===",
    "- - -",
    "~~~ fence",
    "> quote",
    "[#12] (@eve) `GH-12` |x/y#1| www.evil.example`",
)
# What GitHub and GitLab link in plain text, wherever it stands in a word.
REFERENCES = (
    "#12",
    "@user",
    "@org/team",
    "owner/repo#1",
    "user#1",
    "GH-12",
    "gh-12",
    "!12",
    "1b2c3d4",
    "1234567",
    "a5c3785ed8d6a35868bc169f07e40e889087fd2e",  # pragma: allowlist secret
    "owner/repo@a5c3785ed8",
    "eve@evil.example",
    "https://evil.example/pull/1",
    "ftp://evil.example",
    "www.evil.example",
    "mailto:eve",
    ":tada:",
)
INVISIBLE = (
    "\x00\x1b\x7f\x85\xad\u034f\u061c\u115f\u1160\u17b4\u180b\u180e\u200b\u200c\u200d\u200e\u200f\u2028\u2029"
    "\u202a\u202e\u2060\u2064\u2066\u2069\u206a\u206f\u2800\u3164\ud800\udfff\ufe00\ufe0f\ufeff\uffa0\ufff9\ufffb"
    "\U0001bca0\U0001d173\U000e0001\U000e0020\U000e007f\U000e0100\U000e01ef"
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


def plain_text(markdown: str) -> str:
    """Return what renderers may link: the rendered text outside of code, which stands as `~`."""
    tokens = [child for block in _RENDERER.parse(markdown) for child in block.children or ()]
    return "".join("~" if token.type == "code_inline" else token.content for token in tokens)


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("write", [escape_markdown, code_span])
def test_a_hostile_text_becomes_no_markup(text: str, write: Callable[[object], str]) -> None:
    written = write(text)
    for markdown in (written, f"before {written} after", f"{written}.", f"text\n{written}", f"{written}\ntext"):
        assert not token_types(markdown) & _FORBIDDEN
        assert not re.search(r"://|www\.|mailto:|@\w|#\d|GH-\d", plain_text(markdown))
    assert "\n" not in written


@pytest.mark.parametrize("reference", REFERENCES)
@pytest.mark.parametrize(
    "frame",
    ["{}", "see {}.", "({})", "[{}](x)", "a|{}|b", "`{}`", '"{}", and', "<{}>", "x\\{}", "*{}*", "&{};", "a:{}:"],
)
def test_a_reference_is_code_in_any_place(reference: str, frame: str) -> None:
    text = frame.format(reference)
    for markdown in (escape_markdown(text), code_span(text)):
        assert reference not in plain_text(markdown)
        assert reference in _RENDERER.render(markdown).replace("</code>", "").replace("<code>", "")


@pytest.mark.parametrize("character", INVISIBLE, ids=ascii)
def test_an_invisible_character_is_a_blank(character: str) -> None:
    for write in (escape_markdown, code_span):
        assert write(f"{character}ab{character}{character}cd{character}").strip("`") == "ab cd"


@given(st.text())
def test_no_invisible_character_is_written(text: str) -> None:
    for written in (escape_markdown(text), code_span(text)):
        assert not set(INVISIBLE) & set(written)
        assert not {"Cc", "Cs", "Zl", "Zp"} & {unicodedata.category(character) for character in written}


@given(st.text())
def test_any_text_becomes_one_line_without_links_html_and_images(text: str) -> None:
    for written in (escape_markdown(text), code_span(text)):
        assert not token_types(f"x {written} x") & {"image", "link_open", "html_inline", "html_block"}
        assert len(written.splitlines()) <= 1


@given(
    st.text(
        st.characters(exclude_categories=["Cc", "Cf", "Cs", "Zl", "Zp"]).filter(lambda one: visible_text(one) == one)
    )
)
def test_a_text_reads_as_it_was_written(text: str) -> None:
    html = _RENDERER.renderInline(escape_markdown(f"x{text}x".replace("*", "").replace("_", "").replace("~", "")))
    html = re.sub("</?code>", "", html)
    shown = re.sub(r"&(amp|lt|gt|quot);", lambda match: {"amp": "&", "lt": "<", "gt": ">", "quot": '"'}[match[1]], html)
    assert shown == " ".join(f"x{text}x".replace("*", "").replace("_", "").replace("~", "").split())


@pytest.mark.parametrize(
    "name",
    [
        "Time_spent_Alone",
        "age",
        "a.b",
        "3rd value",
        "größe",
        "-0.5",
        "0.12345678",
        "12:30:45",
        "C#",
        "a @ b",
        "# of",
        "feed",
    ],
)
def test_an_ordinary_name_stays_readable(name: str) -> None:
    assert (escape_markdown(name).removeprefix("\\"), code_span(name)) == (name, f"`{name}`")


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
