"""The reports page lists each report with verdict, commit and age, or the command that writes it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.files import write_text
from pipeline.html_report import ReportHead, report_page
from pipeline.project import paths
from tests.app.conftest import app_page, text_of

if TYPE_CHECKING:
    from pathlib import Path

    from streamlit.testing.v1 import AppTest

HEAD = ReportHead("Monitoring of m", "drift", "bad", "1 of 3 :red[drifted]", commit="1a2b3c4d", written_at=10**15)


def downloads(at: AppTest) -> list[str]:
    return [button.proto.id for button in at.get("download_button")]


def test_a_report_that_is_not_written_names_its_command(empty: Path) -> None:
    at = app_page("reports").run()
    assert "Not written yet: run `make monitor`" in text_of(at)
    assert "Not written yet: run `make run`" in text_of(at)
    assert downloads(at) == []
    assert not (empty / paths.REPORT_INDEX).exists()


def test_a_written_report_has_its_verdict_its_age_and_a_download(empty: Path) -> None:
    (empty / "reports").mkdir()
    write_text(empty / paths.MONITORING_HTML, report_page(HEAD, []))
    at = app_page("reports").run()
    text = text_of(at)
    assert "drift" in text
    assert "Commit 1a2b3c4d, written 2001-09-09 01:46:40 UTC (" in text
    assert ":red[drifted]" not in text
    assert len(downloads(at)) == 1
    assert {"Open monitoring", "Open incidents", "Open data", "Open compare"} <= set(text.splitlines())
