"""The evaluation of one version as its files hold it: report, curves and model card."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipeline.files import read_json
from pipeline.project import paths

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

__all__ = ["VersionEvaluation"]


@dataclass(frozen=True, slots=True)
class VersionEvaluation:
    """The evaluation of one version on the test rows: its report, its curves by file name, and its model card."""

    report: dict[str, Any]
    curves: dict[str, pd.DataFrame]
    card: str = ""

    @classmethod
    def read(cls, root: Path) -> VersionEvaluation:
        """Return the evaluation whose files are below `root`: of a project, or of the artifacts of a run."""
        import pandas as pd

        curves = {path.stem: pd.read_csv(path) for path in sorted((root / paths.PLOTS).glob("*.csv"))}
        card = root / paths.MODEL_CARD
        text = card.read_text(encoding="utf-8") if card.exists() else ""
        return cls(read_json(root / paths.EVALUATION_REPORT), curves, text)
