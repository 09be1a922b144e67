"""Say how likely a test would have seen a change as large as its limit, at the rows that there were."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["chi_squared_power", "kolmogorov_smirnov_power"]

_NORMAL_PEAK_DENSITY = 0.3989  # density of the normal distribution at its mean: how far a small shift parts two of them


def kolmogorov_smirnov_power(shift: float, n_reference: float, n_current: float, *, alpha: float) -> float:
    """Return the chance that a Kolmogorov-Smirnov test at level `alpha` sees a normal column shift.

    Parameters
    ----------
    shift : float
        In standard deviations; small shifts part two normal distributions by 0.4 of it.
    n_reference, n_current : float
    alpha : float between 0 and 1

    Notes
    -----
    The distance is taken as normal around its expectation, which is a few hundredths low near 0.5.
    """
    from scipy.special import kolmogi, ndtr

    if min(n_reference, n_current) == 0:
        return 0.0
    root = math.sqrt(n_reference * n_current / (n_reference + n_current))
    return float(ndtr(2 * (_NORMAL_PEAK_DENSITY * shift * root - float(kolmogi(alpha)))))


def chi_squared_power(
    distance: float, shares: NDArray[np.float64], n_reference: float, n_current: float, *, alpha: float
) -> float:
    """Return the chance that a chi-squared test at level `alpha` sees a Jensen-Shannon distance (base 2).

    For small distances the divergence is chi-squared over 8 ln 2, which gives the non-centrality.
    """
    from scipy.special import chdtri, chndtr

    n_bins = int((shares > 0).sum())
    if min(n_reference, n_current) == 0 or n_bins < 2:
        return 0.0
    rows = n_reference * n_current / (n_reference + n_current)
    freedom = n_bins - 1
    noncentral = 8 * math.log(2) * distance**2 * rows
    return float(1.0 - chndtr(float(chdtri(freedom, alpha)), freedom, noncentral))
