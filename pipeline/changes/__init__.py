"""Say what a change of the project does to settings, stages, figures, gates and callers."""

from pipeline.changes.page import page
from pipeline.changes.report import Change, report
from pipeline.changes.telling import headline, markdown

__all__ = ["Change", "headline", "markdown", "page", "report"]
