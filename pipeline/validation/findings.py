"""The result of a check: its rule, its level, how many rows fail, and a likely cause."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from pipeline.config.groups.validation_config import SeverityThresholds

__all__ = ["LEVELS", "Level", "SkippedCheck", "ValidationFinding", "level_for_share", "shorten_text"]

Level = Literal["ok", "warning", "error", "critical"]
_MAX_LENGTH = 80
LEVELS: tuple[Level, ...] = ("ok", "warning", "error", "critical")


@dataclass(frozen=True, slots=True)
class ValidationFinding:
    """The result of one rule.

    Attributes
    ----------
    rule : str
        Key of `validation.rules`.
    column : str or None
        None where the rule is about whole rows.
    level : str
        ok, warning, error or critical.
    share : float, 0 to 1
        Share of the rows (or columns) that fail.
    n_failed, n_rows : int
    message : str
        One sentence for people.
    cause : str
        The usual cause, and what to do.
    check : str or None
        The declared check that failed, for the rule `schema`.
    rows : tuple of int
        First failing rows, from 0.
    values : tuple of str or None
        The values of these rows.
    """

    rule: str
    column: str | None
    level: Level
    share: float
    n_failed: int
    n_rows: int
    message: str
    cause: str
    check: str | None = None
    rows: tuple[int, ...] = ()
    values: tuple[str | None, ...] = ()

    @property
    def title(self) -> str:
        """The rule, and its column where it has one."""
        return self.rule if self.column is None else f"{self.rule} of {self.column}"

    def as_dict(self) -> dict[str, Any]:
        """Return plain values."""
        plain = asdict(self)
        plain["share"] = float(f"{self.share:.6g}")
        del plain["rows"], plain["values"]
        plain["examples"] = [{"row": row, "value": value} for row, value in zip(self.rows, self.values, strict=True)]
        return plain


@dataclass(frozen=True, slots=True)
class SkippedCheck:
    """A check that could not run, and why."""

    column: str
    reason: str


def shorten_text(text: str) -> str:
    """Return `text`, or its first 80 characters and its length where it has more, so that reports stay small."""
    return text if len(text) <= _MAX_LENGTH else f"{text[:_MAX_LENGTH]}... ({len(text):,} characters)"


def level_for_share(share: float, levels: SeverityThresholds) -> Level:
    """Return the most severe level whose threshold `share` exceeds.

    Examples
    --------
    >>> from pipeline.config.groups.validation_config import SeverityThresholds
    >>> level_for_share(0.1, SeverityThresholds(warning=0.0, error=0.1, critical=None))
    'warning'
    """
    highest: Level = "ok"
    for level, threshold in (("warning", levels.warning), ("error", levels.error), ("critical", levels.critical)):
        if threshold is not None and share > threshold:
            highest = level  # type: ignore[assignment]
    return highest
