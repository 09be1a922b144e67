"""Every condition that conf/alerts may name is in the table, and no other."""

from __future__ import annotations

from typing import get_args

import pipeline.alerts.alert_rules  # noqa: F401 - fills the table
from pipeline.alerts.condition_table import CONDITIONS
from pipeline.config.groups.alerts_config import AlertRuleConfig


def test_the_table_has_the_declared_conditions() -> None:
    assert set(CONDITIONS) == set(get_args(AlertRuleConfig.model_fields["condition"].annotation))
