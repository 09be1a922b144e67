"""A page has its head twice: for people, and for the index that reads it again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pipeline.html_report.page_frame import ReportHead, read_report_head, report_page, section

if TYPE_CHECKING:
    from pathlib import Path

FULL = ReportHead(
    'Monitoring of "a" <b>', "drift", "bad", "2 & more drifted", commit="1a2b3c4d", written_at=1_770_000_000_000_000
)


@pytest.mark.parametrize("head", [FULL, ReportHead("Validation", "ok", "good", "all pass")])
def test_the_head_of_a_page_can_be_read_again(tmp_path: Path, head: ReportHead) -> None:
    path = tmp_path / "page.html"
    path.write_text(report_page(head, ["<p>body</p>"]), encoding="utf-8")
    assert read_report_head(path) == head


def test_another_file_is_no_report(tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    assert read_report_head(path) is None
    path.write_text("<!doctype html><title>Other</title>", encoding="utf-8")
    assert read_report_head(path) is None
    path.write_bytes(b"\xff\xfe")
    assert read_report_head(path) is None


def test_a_page_shows_its_moment_in_utc_its_commit_and_its_facts() -> None:
    page = report_page(FULL, [], facts=[("Version", "2 < 3")], index_address="index.html")
    assert "<dt>Written</dt><dd>2026-02-02 02:40:00 UTC</dd>" in page
    assert "<dt>Commit</dt><dd>1a2b3c4d</dd>" in page
    assert "<dt>Version</dt><dd>2 &lt; 3</dd>" in page
    assert '<a href="index.html">All reports</a>' in page


def test_a_section_without_parts_has_no_heading() -> None:
    assert section("Slices", "", "") == ""
    assert section("Slices", "<p>x</p>") == "<section><h2>Slices</h2><p>x</p></section>"
