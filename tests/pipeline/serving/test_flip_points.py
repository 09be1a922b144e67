"""The bound of a flip is searched between the last tried value that keeps the class and the first that does not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from pipeline.schema import Column
from pipeline.serving.flip_points import _nearest_runs, _round_outward
from pipeline.serving.prediction_explainer import PredictionExplainer
from pipeline.serving.what_if import WhatIf
from tests.fixtures.registered_project import make_rows

if TYPE_CHECKING:
    from pipeline.serving.loaded_model import LoadedModel


def tried(flips_at: Any, values: Any = range(0, 100, 10)) -> list[WhatIf]:
    return [WhatIf("x", str(at), 0.5, "b" if flips_at(at) else "a", is_present=False, raw=at) for at in values]


@pytest.mark.parametrize(
    ("flips_at", "expected"),
    [
        (lambda _: False, []),
        (lambda at: at >= 70, [(60, 70, 90, True, True)]),
        (lambda at: at <= 20, [(30, 20, 0, False, True)]),
        (lambda at: at in (60, 70), [(50, 60, 70, True, False)]),
        (lambda at: at >= 60 or at == 0, [(10, 0, 0, False, True), (50, 60, 90, True, True)]),
    ],
)
def test_the_nearest_run_of_each_side_flips(flips_at: Any, expected: list[tuple[Any, ...]]) -> None:
    runs = _nearest_runs(Column("x", "integer", "Int64"), tried(flips_at), 40, label="a")
    assert [(run.same, run.flipped, run.far, run.is_above, run.is_open) for run in runs] == expected


@pytest.mark.parametrize(
    ("same", "flipped", "expected"), [(734.2, 735.4375, 735.5), (740.0, 735.4375, 735.4), (-1.0, 0.0, 0.0)]
)
def test_a_bound_is_rounded_away_from_the_value_that_does_not_flip(
    same: float, flipped: float, expected: float
) -> None:
    assert _round_outward(same, flipped) == expected


def test_a_value_at_the_bound_flips_the_prediction_and_the_next_one_does_not(loaded_model: LoadedModel) -> None:
    explainer = PredictionExplainer(loaded_model.package)
    n_checked = 0
    for row in make_rows(12):
        features = explainer.parse_request(row)
        label = explainer.explain(features).prediction
        for flip in explainer.what_if(features, label=label).flips:
            step = {"or more": -1, "or less": 1}.get(flip.kind)
            if step is None:
                continue
            at_bound, before = ({**features, flip.feature: flip.points[0] + shift} for shift in (0, step))
            assert (explainer.explain(at_bound).prediction, explainer.explain(before).prediction) != (label, label)
            assert explainer.explain(before).prediction == label
            n_checked += 1
    assert n_checked
