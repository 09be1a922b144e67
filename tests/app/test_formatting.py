"""Names never become markup, numbers have suitable digits, timestamps a zone."""

from __future__ import annotations

import re
from datetime import UTC

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.formatting import (
    escape_markdown,
    format_number,
    inert_markdown,
    message_markdown,
    shorten,
    time_zone,
)
from pipeline.text import timestamp


@given(st.text(max_size=200))
def test_every_markup_character_is_escaped(text: str) -> None:
    assert re.search(r"(?<!\\)(?:\\\\)*[*_`<>\[\]$:#|~]", escape_markdown(text)) is None


@pytest.mark.parametrize("sign", ["\u202e", "\n", "\x00", "\u2066", "\u200b", "\u00ad", "\ufe0f", "\U000e0041"])
def test_invisible_characters_become_blanks(sign: str) -> None:
    assert (escape_markdown(f"a{sign}b"), message_markdown(f"a{sign}b")) == ("a b", "a b")
    assert inert_markdown(f"a\n  b{sign}c") == ("a\n  b\nc" if sign == "\n" else "a\n  b c")


def test_names_of_any_script_stay_unchanged() -> None:
    assert escape_markdown("שלום 😀 größe") == "שלום 😀 größe"


def test_messages_keep_commands_as_code() -> None:
    assert message_markdown("run `dvc repro` <now>") == "run `dvc repro` \\<now\\>"


def test_a_long_name_ends_with_an_ellipsis() -> None:
    assert shorten("x" * 100, 10) == "xxxxxxxxx…"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "-"),
        (float("nan"), "-"),
        (0.12345, "0.1235"),
        (18524, "18,524"),
        (0, "0.0000"),
        (1e-7, "1e-07"),
        (1.0, "1.0000"),
    ],
)
def test_a_number_has_suitable_digits(value: float | None, text: str) -> None:
    assert format_number(value) == text


def test_a_timestamp_names_its_zone() -> None:
    assert timestamp(1_767_225_600_000_000, time_zone("Europe/Vienna")) == "2026-01-01 01:00:00 CET"


@pytest.mark.parametrize("name", [None, "", "Nowhere/Land", "../etc/passwd"])
def test_an_unknown_zone_is_utc(name: str | None) -> None:
    assert time_zone(name) is UTC


@pytest.mark.parametrize(
    "text",
    [
        "![x](http://evil.example/x.png)", "[x](//evil.example)", "[x]\n\n[x]: http://evil.example", "<img src=x>",
        "<http://evil.example>", "http://evil.example", "HTTPS://evil.example", "http:\\//evil.example",
        "www.evil.example",
        "h&#116;tp://evil.example", "eve@evil.example", "[x][y]", "&lt;b&gt;",
    ],
)  # fmt: skip
def test_no_link_image_or_tag_of_others_survives(text: str) -> None:
    written = inert_markdown(text)
    assert written.replace("\u2060", "") == text
    assert not re.search(r"\]\(|\]:|\]\[|<[a-z/!]|&#?\w|https?:|www\.|@\w", written, re.IGNORECASE)


@pytest.mark.parametrize(
    "text", ["http://evil.example", "HTTPS://evil.example/x", "see www.evil.example", "eve@evil.example", "x@y @z"]
)
def test_an_address_in_a_name_or_message_becomes_no_link(text: str) -> None:
    for written in (escape_markdown(text), message_markdown(text)):
        assert written.replace("\u2060", "").replace("\\", "") == text
        assert not re.search(r"https?:|www\.|@\w", written.replace("\\", ""), re.IGNORECASE)
    assert message_markdown(f"open `{text}`") == f"open `{text}`"
