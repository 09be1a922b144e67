"""What a check has to say: which rule, how loud, how many rows, and what may be the cause."""

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
    """One rule held against the rows.

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
        What was found, in words.
    cause : str
        What usually makes it so, and what to do.
    check : str or None
        The declared check that failed, for the rule `schema`.
    rows : tuple of int
        First failing rows, from 0.
    values : tuple of str or None
        What stands there.
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

    def as_dict(self) -> dict[str, Any]:
        """Return plain values."""
        plain = asdict(self)
        plain["share"] = float(f"{self.share:.6g}")
        del plain["rows"], plain["values"]
        plain["examples"] = [{"row": row, "value": value} for row, value in zip(self.rows, self.values, strict=True)]
        return plain


@dataclass(frozen=True, slots=True)
class SkippedCheck:
    """A check that could not be made, and why."""

    column: str
    reason: str


def shorten_text(text: str) -> str:
    """Return `text`, or its first 80 characters and its length where it has more, so that reports stay small."""
    return text if len(text) <= _MAX_LENGTH else f"{text[:_MAX_LENGTH]}... ({len(text):,} characters)"


def level_for_share(share: float, levels: SeverityThresholds) -> Level:
    """Return the loudest level whose limit `share` exceeds.

    Examples
    --------
    >>> from pipeline.config.groups.validation_config import Levels
    >>> judge(0.1, Levels(warning=0.0, error=0.1, critical=None))
    'warning'
    """
    loudest: Level = "ok"
    for level, limit in (("warning", levels.warning), ("error", levels.error), ("critical", levels.critical)):
        if limit is not None and share > limit:
            loudest = level  # type: ignore[assignment]
    return loudest
