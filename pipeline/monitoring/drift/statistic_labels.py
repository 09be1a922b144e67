"""Name each drift statistic for people, with one line that explains it; pages and reports use these labels."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.text import percent

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["STATISTIC_EXPLANATIONS", "STATISTIC_LABELS", "statistic_label", "statistic_text"]

STATISTIC_LABELS: Mapping[str, str] = {
    "wasserstein": "Wasserstein distance",
    "rank_biserial": "Rank-biserial correlation",
    "rare_values": "Rise of one rare value",
    "kolmogorov_smirnov": "Kolmogorov-Smirnov statistic",
    "jensen_shannon": "Jensen-Shannon distance",
    "psi": "Population stability index (PSI)",
    "total_variation": "Total variation",
    "chi_squared": "Chi-squared statistic",
    "missing": "Change of the missing share",
    "missing_share_reference": "Missing values, baseline",
    "missing_share_window": "Missing values, this period",
    "unseen_share": "Values not in the baseline",
}
STATISTIC_EXPLANATIONS: Mapping[str, str] = {
    "wasserstein": "Average shift of the values, in standard deviations of the baseline",
    "rank_biserial": "How much the values rank above those of the baseline: -1 to 1, 0 for equal",
    "rare_values": "Largest rise of the share of one value that is rare in the baseline",
    "kolmogorov_smirnov": "Largest gap between the cumulative distributions: 0 for equal, 1 for no overlap",
    "jensen_shannon": "Distance of the two distributions: 0 for equal, 1 for no overlap",
    "psi": "Above 0.2 is usually called large",
    "total_variation": "Share of the rows that would have to change their bin",
    "chi_squared": "Test statistic; grows with the number of rows and with the difference",
    "missing": "Difference of the shares of missing values",
    "missing_share_reference": "Share of rows without a value",
    "missing_share_window": "Share of rows without a value",
    "unseen_share": "Share of rows with a value that the baseline lacks",
}
_SHARES = (
    "missing",
    "missing_share_reference",
    "missing_share_window",
    "unseen_share",
    "total_variation",
    "rare_values",
)
_UNITS = {"wasserstein": " sd"}


def statistic_label(name: str) -> str:
    """Return the label of a statistic; an unknown name in words.

    Examples
    --------
    >>> statistic_label("psi"), statistic_label("own_statistic")
    ('Population stability index (PSI)', 'Own statistic')
    """
    return STATISTIC_LABELS.get(name, name.replace("_", " ").capitalize())


def statistic_text(name: str, value: float | None) -> str:
    """Return the value of a statistic with its unit: a share as percentage, a distance in standard deviations.

    Examples
    --------
    >>> statistic_text("wasserstein", 0.61234), statistic_text("missing", 0.021), statistic_text("psi", None)
    ('0.612 sd', '2.1%', '-')
    """
    if value is None:
        return "-"
    return percent(value) if name in _SHARES else f"{value:.3g}{_UNITS.get(name, '')}"
