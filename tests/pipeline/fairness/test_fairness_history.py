"""A monitor run keeps the groups with a finding first, and a group is followed over the runs."""

from __future__ import annotations

from typing import Any

from pipeline.fairness import group_moments, recorded_groups


def a_metric(**values: Any) -> dict[str, Any]:
    known = {"metric": "selection_rate", "of_class": None, "value": 0.2, "others": 0.3, "effect": -0.1, "low": -0.2}
    rest = {"high": 0.0, "limit": 0.1, "is_ratio": False, "n_rows": 500, "n_rows_text": "500", "verdict": "pass"}
    return {**known, **rest, "smallest_visible": None, **values}


def a_report(*groups: tuple[str, dict[str, Any]]) -> dict[str, Any]:
    listed = [
        {"group": name, "n_rows_text": "500", "verdict": metric["verdict"], "metrics": [metric]}
        for name, metric in groups
    ]
    return {"columns": [{"columns": ["sex"], "groups": listed, "empty": ["y"]}]}


def test_groups_with_a_finding_are_recorded_first_and_empty_ones_are_not() -> None:
    report = a_report(("f", a_metric()), ("m", a_metric(verdict="fail")), ("x", a_metric(verdict="not_enough_data")))
    assert [(row["group"], row["verdict"]) for row in recorded_groups(report)] == [
        ("m", "fail"),
        ("f", "pass"),
        ("x", "not_enough_data"),
    ]


def test_at_most_sixty_rows_are_recorded() -> None:
    names = [f"group {number}" for number in range(70)]
    assert len(recorded_groups(a_report(*((name, a_metric()) for name in names)))) == 60


def test_a_group_is_followed_by_one_metric_in_the_order_of_the_runs() -> None:
    runs = [
        (1, recorded_groups(a_report(("f", a_metric(effect=-0.1))))),
        (2, recorded_groups(a_report(("f", a_metric(effect=-0.3, verdict="fail"))))),
        (3, recorded_groups(a_report(("f", a_metric(metric="accuracy"))))),
    ]
    moments = group_moments(runs, column="sex", metric="selection_rate", of_class=None)
    assert [(moment.until, moment.effect, moment.verdict) for moment in moments] == [
        (1, -0.1, "pass"),
        (2, -0.3, "fail"),
    ]


def test_a_group_with_too_few_rows_decides_nothing() -> None:
    report = a_report(("x", a_metric(verdict="not_enough_data")), ("h", a_metric(effect=None)))
    moments = group_moments([(1, recorded_groups(report))], column="sex", metric="selection_rate", of_class=None)
    assert [moment.has_enough_rows for moment in moments] == [False, False]
