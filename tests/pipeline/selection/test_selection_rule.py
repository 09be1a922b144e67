"""The simplest configuration within one paired standard error of the best is chosen."""

from __future__ import annotations

import numpy as np

from pipeline.selection.selection_rule import choose_configuration

RNG = np.random.default_rng(0)
SHARED = RNG.exponential(0.3, 2_000)  # what rows differ by, whatever the model: standard error 0.007
BEST = SHARED + RNG.normal(0, 0.02, 2_000)


def test_a_simpler_one_within_a_standard_error_is_chosen() -> None:
    noise = RNG.normal(0, 0.02, 2_000)
    near = BEST + noise - noise.mean() + 0.0002  # half a standard error
    losses = {0: BEST, 1: near}
    assert choose_configuration(losses, {0: 500.0, 1: 100.0}, "one_standard_error") == 1
    assert choose_configuration(losses, {0: 500.0, 1: 900.0}, "one_standard_error") == 0
    assert choose_configuration(losses, {0: 500.0, 1: 100.0}, "best") == 0


def test_one_within_the_unpaired_error_only_is_not_chosen() -> None:
    distant = BEST + 0.004 + RNG.normal(0, 0.02, 2_000)
    assert choose_configuration({0: BEST, 1: distant}, {0: 500.0, 1: 1.0}, "one_standard_error") == 0


def test_an_unknown_complexity_is_the_highest() -> None:
    assert choose_configuration({0: BEST, 1: BEST.copy()}, {0: None, 1: 1e9}, "one_standard_error") == 1
    assert choose_configuration({0: BEST, 1: BEST.copy()}, {0: None, 1: None}, "one_standard_error") == 0
