"""The frame of an HTML report: its head with verdict, commit and time, which an index reads again from the file."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from html.parser import HTMLParser
from typing import TYPE_CHECKING, get_args

from pipeline.html_report.page_parts import Level, badge, link
from pipeline.html_report.page_style import style_sheet
from pipeline.text import timestamp

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from pipeline.html_report.page_parts import Html

__all__ = ["ReportHead", "read_report_head", "report_page", "section"]

_PREFIX = "mlops:"
_MAX_HEAD_CHARACTERS = 8192


@dataclass(frozen=True, slots=True)
class ReportHead:
    """What a report is about and what it found.

    Parameters
    ----------
    title : str
    verdict : str
        One or two words.
    level : "good", "warn", "bad" or "neutral"
    summary : str
        One sentence.
    commit : str
        The git commit that the report is about; empty when the report is not about one.
    written_at : int or None
        In microseconds since 1970. None for an output of DVC: equal inputs give equal bytes.
    """

    title: str
    verdict: str
    level: Level
    summary: str
    commit: str = ""
    written_at: int | None = None


def report_page(
    head: ReportHead,
    sections: Iterable[str],
    *,
    facts: Sequence[tuple[str, str | Html]] = (),
    index_address: str | None = None,
) -> str:
    """Return the page: title and verdict, summary, facts, then the sections.

    Parameters
    ----------
    head : ReportHead
    sections : iterable of str
        Markup.
    facts : sequence of (label, value)
        Shown below the summary, after commit and time.
    index_address : str, optional
        Address of the index of reports, relative to the page.
    """
    meta = {
        "verdict": head.verdict,
        "level": head.level,
        "summary": head.summary,
        "commit": head.commit,
        "written_at": "" if head.written_at is None else str(head.written_at),
    }
    tags = "\n".join(f'<meta name="{_PREFIX}{name}" content="{escape(value)}">' for name, value in meta.items())
    body = "\n".join(part for part in (_header(head, facts, index_address), *sections) if part)
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n{tags}\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(head.title)}</title>\n<style>{style_sheet()}</style>\n</head>\n"
        f"<body><main>\n{body}\n</main></body>\n</html>\n"
    )


def _header(head: ReportHead, facts: Sequence[tuple[str, str | Html]], index_address: str | None) -> str:
    known: list[tuple[str, str | Html]] = []
    if head.written_at is not None:
        known.append(("Written", timestamp(head.written_at)))
    if head.commit:
        known.append(("Commit", head.commit))
    pairs = "".join(
        f"<div><dt>{escape(name)}</dt><dd>{escape(value) if isinstance(value, str) else value.markup}</dd></div>"
        for name, value in (*known, *facts)
    )
    mark = f" {badge(head.verdict, head.level).markup}" if head.verdict else ""
    back = f"<nav>{link('All reports', index_address).markup}</nav>" if index_address is not None else ""
    listed = f"<dl class=facts>{pairs}</dl>" if pairs else ""
    return f"<header>{back}<h1>{escape(head.title)}{mark}</h1><p>{escape(head.summary)}</p>{listed}</header>"


def section(title: str, *parts: str) -> str:
    """Return parts under a heading; empty when all parts are."""
    body = "".join(parts)
    return f"<section><h2>{escape(title)}</h2>{body}</section>" if body else ""


def read_report_head(path: Path) -> ReportHead | None:
    """Return the head of a report; None when the file is missing or is no report."""
    try:
        with path.open(encoding="utf-8") as stream:
            text = stream.read(_MAX_HEAD_CHARACTERS)
    except (OSError, UnicodeDecodeError):
        return None
    parser = _HeadParser()
    parser.feed(text)
    values = parser.values
    level = next((level for level in get_args(Level) if level == values.get("level")), None)
    if level is None:
        return None
    written_at = values.get("written_at", "")
    return ReportHead(
        parser.title,
        values.get("verdict", ""),
        level,
        values.get("summary", ""),
        commit=values.get("commit", ""),
        written_at=int(written_at) if written_at.isdecimal() else None,
    )


class _HeadParser(HTMLParser):
    """Collects the title and the tags of the head."""

    def __init__(self) -> None:
        super().__init__()
        self.values: dict[str, str] = {}
        self.title = ""
        self._is_in_title = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._is_in_title = tag == "title"
        given = dict(attrs)
        name = given.get("name") or ""
        if tag == "meta" and name.startswith(_PREFIX):
            self.values[name.removeprefix(_PREFIX)] = given.get("content") or ""

    def handle_endtag(self, tag: str) -> None:
        self._is_in_title = self._is_in_title and tag != "title"

    def handle_data(self, data: str) -> None:
        if self._is_in_title:
            self.title += data
