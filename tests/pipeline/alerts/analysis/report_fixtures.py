"""An incident about a feature and a metric, and what surrounds it."""

from __future__ import annotations

from typing import Any

from pipeline.state import AuditEntry, Incident

HOUR = 3_600_000_000
OPENED = 500_000 * HOUR
CAUSE: dict[str, Any] = {
    "column": "age", "label": "Age", "kind": "feature", "statistic": "wasserstein", "value": 0.61, "threshold": 0.1,
    "direction": "up", "importance": 0.2, "priority": 1.2, "priority_share": 1.0, "change": "+0.61 sd",
    "drifting_since": OPENED - 5 * HOUR, "summary": "Age: mean rose from 3 to 6",
}  # fmt: skip
METRIC: dict[str, Any] = {
    "metric": "log_loss", "label": "Log loss", "baseline": 0.127, "value": 0.235, "interval": [0.22, 0.25],
    "limit": 0.1334,
}  # fmt: skip
DETAILS: dict[str, Any] = {
    "rules": [], "metrics": [METRIC], "causes": [CAUSE], "affected": "rows", "affected_share": 0.3, "loss": None,
    "slices": [], "version": 1, "next": "mlops monitor report",
    "history": [{"at": OPENED, "event": "opened", "severity": "critical", "title": "Log loss up"}],
}  # fmt: skip


def make_incident(**changes: Any) -> Incident:
    """Return an open incident, number 3."""
    fields = {"details": DETAILS, "severity": "critical", "status": "open", **changes}
    return Incident(
        "quality", "m", ("drift",), title="Log loss up", message="", opened_at=OPENED, last_seen_at=OPENED, seq=3,
        **fields,
    )  # fmt: skip


def make_entry(at: int, action: str, **changes: Any) -> AuditEntry:
    """Return an entry of the audit trail by ada."""
    values: dict[str, Any] = {
        "version": None, "generation": None, "before": {}, "after": {}, "reason": "", "evidence": {}, **changes
    }  # fmt: skip
    return AuditEntry(1, at, "ada", action, "m", hash="", **values)
