"""Tables are standard HTML in which no text acts as markup."""

from __future__ import annotations

import pytest

from app.html_table import Badge, IntervalBar, Link, html_table


def test_a_table_has_its_header_links_and_badges() -> None:
    html = html_table([{"Version": Link("2", "models?version=2"), "Stage": Badge("live", "green"), "Note": None}])
    assert '<th scope="col">Version</th>' in html
    assert '<td><a href="models?version=2">2</a></td><td><span class="badge green">live</span></td><td></td>' in html


def test_an_interval_is_drawn_against_0_in_the_middle_of_its_cell() -> None:
    html = html_table([{"Change": IntervalBar(-0.5, 0.25, 1.0, "-0.5 to 1", "green")}])
    assert '<i style="left:27.0%;width:69.0%"></i><b style="left:61.5%"></b>' in html
    assert '<span class="ends">-0.5 to 1</span>' in html


@pytest.mark.parametrize("text", ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "a\u202eb"])
def test_no_text_acts_as_markup(text: str) -> None:
    html = html_table(
        [{text: text, "Link": Link(text, text), "Badge": Badge(text, text), "Bar": IntervalBar(0, 1, 2, text, text)}],
        caption=text,
    )
    assert "<script" not in html
    assert "<img" not in html
    assert "\u202e" not in html


@pytest.mark.parametrize(("cells", "is_number"), [(["12", "1,200", "4.5 ms"], True), (["12", "v2"], False)])
def test_numbers_are_aligned(cells: list[str], is_number: bool) -> None:
    assert ('class="number"' in html_table([{"Value": cell} for cell in cells])) == is_number
