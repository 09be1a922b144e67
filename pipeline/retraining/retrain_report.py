"""Describe a retrain in Markdown: the text of its commit and of a pull request."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipeline.gates.gate_report import GateReport
from pipeline.markdown_text import escape_markdown
from pipeline.text import pluralize, timestamp

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.config.groups.lifecycle_config import LifecycleConfig
    from pipeline.state import Retrain

__all__ = ["retrain_page", "retrain_subject"]

_READINGS = {
    "pass": "The candidate beats the champion and the recalibrated champion on labels that none of them learned from.",
    "needs_decision": (
        "The candidate beats the champion, and not the recalibrated champion. Two readings fit: the world changed in a"
        " way that these labels show weakly, or the labels are wrong. Compare the labels by caller below."
    ),
    "refused": "The candidate does not beat the champion on fresh labels.",
}


def retrain_subject(retrain: Retrain) -> str:
    """Return the first line of the commit."""
    return f"Retrain {retrain.model} ({retrain.cause})"


def retrain_page(retrain: Retrain, settings: LifecycleConfig) -> str:
    """Return the whole page."""
    return "\n".join(_lines(retrain, settings)) + "\n"


def _lines(retrain: Retrain, settings: LifecycleConfig) -> Iterator[str]:
    facts = retrain.facts
    yield f"# {retrain_subject(retrain)}"
    yield ""
    yield f"Retrain {retrain.seq} against version {facts['champion']}, asked for by {escape_markdown(retrain.asked_by)}"
    yield f"at {timestamp(retrain.asked_at)}."
    yield ""
    yield f"- cause: {escape_markdown(facts['reason'])}"
    yield f"- base commit: `{facts['base_commit']}`{_note(facts)}"
    rows = f"{pluralize(retrain.n_rows or 0, 'labeled row')} up to prediction {retrain.until_prediction}"
    yield f"- rows: {rows} and outcome {retrain.until_outcome}"
    yield f"- snapshot: `{facts['snapshot']}`, SHA-256 `{retrain.snapshot_sha256}`"
    yield f"- processor time: {retrain.cpu_s or 0.0:.0f} s"
    yield ""
    yield from _gates(facts)
    yield from _callers(facts)
    yield from _trial(settings)


def _note(facts: Any) -> str:
    return f" ({escape_markdown(facts['base_note'])})" if facts.get("base_note") else ""


def _gates(facts: Any) -> Iterator[str]:
    report = GateReport.from_dict(facts["evaluation"]["gates"])
    open_gates = ", ".join(dict.fromkeys(gate.name for gate in report.unmet_gates))
    yield _READINGS[facts["evaluation"]["fresh"]["verdict"]]
    yield f"A person decides, because gates are open: {open_gates}." if open_gates else "It goes on trial."
    yield ""
    yield report.as_markdown()


def _callers(facts: Any) -> Iterator[str]:
    yield "## Labels by caller"
    yield ""
    yield "| caller | labels | of confident rows | contradictions | expected | corrected |"
    yield "| --- | ---: | ---: | ---: | ---: | ---: |"
    for caller in facts["callers"]:
        name = escape_markdown(caller["caller"] or "(no credential)")
        counts = (caller["n_labels"], caller["n_confident"], caller["n_contradictions"])
        cells = (*map(str, counts), f"{caller['expected']:.1f}", str(caller["n_changed"]))
        yield f"| {name} | {' | '.join(cells)} |"
    yield ""
    for guard in facts["guards"]:
        yield f"- {guard['name']}: {guard['result']}: {escape_markdown(guard['reason'])}"
    yield ""


def _trial(settings: LifecycleConfig) -> Iterator[str]:
    trial = settings.trial
    yield "## Trial"
    yield ""
    yield f"The candidate is compared with the champion by {trial.method}, in {trial.metric}, for at most"
    yield f"{trial.max_days:g} days. A decision needs {trial.min_outcomes:,} outcomes"
    yield f"and {trial.min_units} units of one {trial.unit}."
    shares = ", ".join(f"{step.share:g}" for step in settings.canary.steps)
    yield f"After a win the shares of requests are {shares or 'none: it goes to Production'}."
