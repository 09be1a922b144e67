"""Compare the importance of features on two sets of rows."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from pipeline.monitoring.drift.drift_statistics import holm_levels

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.config.groups.monitoring_config import ImportanceConfig
    from pipeline.modeling.row_importance import ImportanceSums

__all__ = ["ImportanceChange", "compare_importance", "importance_shares"]


@dataclass(frozen=True, slots=True)
class ImportanceChange:
    """How the importance of one feature differs between a reference and a window.

    Attributes
    ----------
    reference, current : float
        Mean importance: by how much the log loss increases when the feature is redrawn.
    reference_share, current_share : float
        Share of the importance of all features, 0 to 1.
    p_value, level : float
        Of the difference of the means, and below which it is significant after Holm's correction.
    is_changed : bool
        Whether the difference is significant, and the share differs by more than the limit.
    """

    feature: str
    reference: float
    current: float
    reference_share: float
    current_share: float
    p_value: float
    level: float
    is_changed: bool

    def as_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(self)


def compare_importance(
    reference: Mapping[str, ImportanceSums], current: Mapping[str, ImportanceSums], config: ImportanceConfig
) -> tuple[ImportanceChange, ...]:
    """Return the change of each feature that both sides have, the largest change of a share first.

    Ranks are not compared: without any change, some rank differs in most windows.
    """
    features = [name for name in reference if name in current]
    p_values = [_p_value(reference[name], current[name]) for name in features]
    levels = holm_levels(p_values, config.alpha)
    shares = importance_shares(reference), importance_shares(current)
    changes = []
    for name, p_value, level in zip(features, p_values, levels, strict=True):
        before, after = (side[name] for side in shares)
        changes.append(
            ImportanceChange(
                feature=name,
                reference=reference[name].mean,
                current=current[name].mean,
                reference_share=before,
                current_share=after,
                p_value=p_value,
                level=level,
                is_changed=p_value < level and abs(after - before) > config.min_share_change,
            )
        )
    return tuple(
        sorted(changes, key=lambda change: (-abs(change.current_share - change.reference_share), change.feature))
    )


def importance_shares(importance: Mapping[str, ImportanceSums]) -> dict[str, float]:
    """Return the share of each feature in the importance of all; a negative importance counts as 0."""
    positive = {name: max(sums.mean, 0.0) for name, sums in importance.items()}
    total = sum(positive.values())
    return {name: value / total if total else 0.0 for name, value in positive.items()}


def _p_value(reference: ImportanceSums, current: ImportanceSums) -> float:
    """Return the two-sided p-value of equal means, by the normal approximation."""
    error = math.hypot(reference.standard_error, current.standard_error)
    difference = abs(current.mean - reference.mean)
    if error == 0.0:
        return 0.0 if difference else 1.0
    return math.erfc(difference / error / math.sqrt(2.0))
