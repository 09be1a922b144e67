"""Say why a prediction from a value deserves less trust: the value is outside of the training rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipeline.schema.constraint_base import format_value
from pipeline.serving.prediction_types import PredictionWarning

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pipeline.schema import Column

__all__ = ["value_warning", "warnings_text"]

_MAX_SHOWN = 60


def value_warning(column: Column, reason: str, value: Any) -> PredictionWarning:
    """Return the warning about a value; that of a private column does not show it.

    Parameters
    ----------
    column : Column
    reason : str
        One of `Bins.outside_reasons`, not empty.
    value : plain value
    """
    if reason != "unseen":
        message = f"the value is {reason} the training range; the prediction is an extrapolation"
        return PredictionWarning(column.name, "out_of_range", message)
    if column.is_private:
        message = "the value occurs in few training rows, or in none"
    elif column.accepts_unseen and value not in column.categories:
        message = f"{_shorten(value)} is none of the known words"
    else:
        message = f"{_shorten(value)} does not occur in the training rows"
    encoding = "; it is encoded as other" if column.accepts_unseen else ""
    return PredictionWarning(column.name, "unseen", f"{message}{encoding}")


def warnings_text(warnings: Sequence[Mapping[str, str]]) -> str:
    """Return the warnings of a row in one cell of a table.

    Examples
    --------
    >>> warnings_text([{"feature": "plan", "rule": "unseen"}, {"feature": "", "rule": "many_missing"}])
    'plan: unseen; many_missing'
    """
    return "; ".join(f"{each['feature']}: {each['rule']}" if each["feature"] else each["rule"] for each in warnings)


def _shorten(value: Any) -> str:
    if isinstance(value, str) and len(value) > _MAX_SHOWN:
        return format_value(f"{value[:_MAX_SHOWN]}...")
    return format_value(value)
