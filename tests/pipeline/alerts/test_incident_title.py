"""A title names the worst metric with its cause, else the worst drift, else the finding."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.alerts.incident_title import incident_title

LOG_LOSS = {"label": "Log loss", "baseline": 0.127, "value": 0.235}
CAUSE = {"label": "Time spent alone", "change": "+0.61 sd"}
RULES = [{"summary": "12% of 300 responses were server errors"}, {"summary": "900 rows wait for the log"}]


@pytest.mark.parametrize(
    ("details", "title"),
    [
        ({"metrics": [LOG_LOSS] * 3}, "Log loss up 85% (0.127 to 0.235) and 2 more metrics"),
        (
            {"metrics": [LOG_LOSS] * 2, "causes": [CAUSE]},
            "Log loss up 85% (0.127 to 0.235) and 1 more metric; likely cause: Time spent alone, +0.61 sd",
        ),
        ({"causes": [CAUSE]}, "Time spent alone drifted, +0.61 sd"),
        ({"causes": [CAUSE] * 2}, "Time spent alone drifted, +0.61 sd, and 1 more feature"),
        ({"rules": RULES[:1]}, "12% of 300 responses were server errors"),
        ({"rules": RULES}, "12% of 300 responses were server errors and 1 more finding"),
    ],
)
def test_the_highest_rank_is_named_and_the_others_are_counted(details: dict[str, Any], title: str) -> None:
    assert incident_title({"metrics": [], "causes": [], "rules": RULES, **details}) == title


def test_long_labels_do_not_make_a_long_title() -> None:
    long = {"label": "L" * 100, "change": "+1.00 sd"}
    assert len(incident_title({"metrics": [LOG_LOSS], "causes": [long], "rules": []})) == 140
