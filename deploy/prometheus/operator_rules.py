"""Write the alert rules as a resource of the Prometheus operator, from the rules of a standalone Prometheus."""

from __future__ import annotations

from pathlib import Path

DEPLOY = Path(__file__).parents[1]
RULES = DEPLOY / "prometheus/mlops.yaml"
OPERATOR_RULES = DEPLOY / "kubernetes/components/prometheus/rules.yaml"

_HEAD = """\
# Generated from deploy/prometheus/mlops.yaml by deploy/prometheus/operator_rules.py.
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: mlops
spec:
"""


def operator_rules(rules: str) -> str:
    """Return the resource for the text of a rules file; its comments stay."""
    groups = rules[rules.index("groups:") :]
    return _HEAD + "".join(f"  {line}" if line.strip() else line for line in groups.splitlines(keepends=True))


if __name__ == "__main__":
    OPERATOR_RULES.write_text(operator_rules(RULES.read_text(encoding="utf-8")), encoding="utf-8")
