"""Each page is in the table of pages once, with a title and an icon."""

from __future__ import annotations

from app.links import START_PAGE
from app.navigation import PAGES


def test_names_and_titles_are_unique_and_the_start_page_is_listed() -> None:
    names, titles = [entry.name for entry in PAGES], [entry.title for entry in PAGES]
    assert (len(set(names)), len(set(titles)), START_PAGE in names) == (len(PAGES), len(PAGES), True)
