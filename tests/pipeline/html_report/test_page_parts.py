"""Parts of HTML reports escape their texts, and tables name their cells for a phone."""

from __future__ import annotations

from pipeline.html_report.page_parts import (
    badge,
    breakable,
    card,
    card_grid,
    details,
    html_table,
    legend,
    link,
    note,
    paragraph,
    text_with_code,
    tiles,
)

HOSTILE = '<b onclick="x">'


def test_each_part_escapes_its_texts() -> None:
    parts = (
        badge(HOSTILE, "good").markup,
        breakable(HOSTILE),
        details(HOSTILE, "<p>body</p>"),
        html_table((HOSTILE, HOSTILE), [(HOSTILE, HOSTILE)]),
        html_table((), [(HOSTILE, HOSTILE)]),
        legend([("current", HOSTILE)]),
        link(HOSTILE, HOSTILE).markup,
        note(HOSTILE, "bad"),
        paragraph(HOSTILE),
        text_with_code(HOSTILE).markup,
        tiles([(HOSTILE, HOSTILE, HOSTILE)]),
    )
    assert [part for part in parts if "<b on" in part or "&lt;b" not in part] == []


def test_a_row_is_named_by_its_first_cell_and_a_cell_by_its_column() -> None:
    table = html_table(
        ("setting", "before and after of it", "stages"), [("model", "a long text of many words", "train")]
    )
    assert "<table class=wide>" in table
    assert '<th scope=row>model</th><td data-label="before and after of it">a long text of many words</td>' in table


def test_a_table_of_short_cells_stays_a_table_on_a_phone() -> None:
    assert "<table class=narrow>" in html_table(("part", "share"), [("valid rows", "100%")])
    assert "<table class=pairs>" in html_table((), [("valid rows", "100%")])


def test_code_is_between_backticks() -> None:
    assert text_with_code("run `dvc repro` now").markup == "run <code>dvc repro</code> now"


def test_parts_without_content_are_nothing() -> None:
    assert (details("more"), card_grid([])) == ("", "")
    assert card("a", "b") == "<div class=card>ab</div>"
