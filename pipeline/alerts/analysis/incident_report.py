"""Read the report of an incident from the state database and the roll-ups of the prediction log."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from pipeline import state as store
from pipeline.alerts.analysis.incident_timeline import IncidentRecords, TimelineEvent, incident_timeline
from pipeline.alerts.analysis.prediction_effect import PredictionEffect, compare_predictions
from pipeline.alerts.analysis.recommended_steps import RecommendedStep, recommend_steps
from pipeline.alerts.incident_actions import firing_findings
from pipeline.monitoring import LogWindowView, PredictionLog, predictions_by_hour
from pipeline.monitoring.drift.bin_labels import bin_filters
from pipeline.monitoring.log import Window
from pipeline.state import DAY_US, HOUR_US

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pipeline.config.root_config import Config
    from pipeline.monitoring import DriftLine, MetricLine
    from pipeline.package import Package
    from pipeline.state import Incident, Silence, State

__all__ = ["IncidentReport", "IncidentStart", "read_incident_report"]

_DAYS_BEFORE = 3
_MAX_LINES = 6
_MAX_RECORDS = 2000


@dataclass(frozen=True, slots=True)
class IncidentStart:
    """Since when something is wrong: first slot of the drift of a cause, of a metric, or the opening.

    Attributes
    ----------
    at : int
        In microseconds since 1970.
    basis : "drift", "metric" or "opened"
    name : str
        The column or metric; empty for the opening.
    is_bound : bool
        Whether it may have begun earlier, because the whole range is beyond the limit.
    """

    at: int
    basis: Literal["drift", "metric", "opened"]
    name: str = ""
    is_bound: bool = False


@dataclass(frozen=True, slots=True)
class IncidentReport:
    """An incident with everything that explains it, from `since` to `until` in microseconds since 1970.

    Attributes
    ----------
    start : IncidentStart
    version : int or None
        The version that the monitor evaluated.
    filters : mapping of column to filters by bin
        The filters of the prediction log that select the rows of each bin of a cause or slice.
    drift : tuple of DriftLine
        The likely causes over time, the most important first; empty when the package cannot be loaded.
    metrics : tuple of MetricLine
        The degraded metrics over time, the worst first.
    effect : PredictionEffect or None
        The predictions before and after the start.
    timeline : tuple of TimelineEvent
        Oldest first.
    silences : tuple of Silence
        Those that cover the incident now.
    firing : tuple of str
        Findings of its rules in the last run of the monitor.
    """

    incident: Incident
    since: int
    until: int
    start: IncidentStart
    version: int | None = None
    filters: Mapping[str, Mapping[str, tuple[str, ...]]] = field(default_factory=dict)
    drift: tuple[DriftLine, ...] = ()
    metrics: tuple[MetricLine, ...] = ()
    effect: PredictionEffect | None = None
    timeline: tuple[TimelineEvent, ...] = ()
    silences: tuple[Silence, ...] = ()
    firing: tuple[str, ...] = ()
    steps: tuple[RecommendedStep, ...] = field(default=())


def read_incident_report(
    state: State, config: Config, packages: Callable[[str], Package | None], number: int
) -> IncidentReport:
    """Return the report of an incident, from three days before it opened to its end or now.

    Lines and effects come from roll-ups alone, whatever the number of rows.

    Parameters
    ----------
    state : State
    config : Config
        With the limits that the monitor applies.
    packages : callable
        Returns the package with a digest, None when it cannot be loaded.
    number : int
        Of the incident.

    Raises
    ------
    UsageError
        When there is no such incident.
    """
    with state.reading() as connection:
        incident = store.find_incident(connection, number)
    now = state.clock()
    until = now if incident.resolved_at is None else incident.resolved_at
    since = incident.opened_at - _DAYS_BEFORE * DAY_US
    log = PredictionLog(state, incident.model, packages, sources=config.monitoring.sources)
    view = _report_view(log, config, incident, bounds=(since, until))
    drift = () if view is None else _cause_lines(view, incident)
    metrics = () if view is None else _metric_lines(view, incident)
    start = find_start(incident, drift, metrics)
    timeline = _read_timeline(state, incident, since=since, until=now)
    return IncidentReport(
        incident,
        since,
        until,
        start,
        version=incident.details.get("version"),
        filters={} if view is None else _filters(view, incident),
        drift=drift,
        metrics=metrics,
        effect=None if view is None else _effect(view, start),
        timeline=timeline,
        silences=_covering_silences(state, incident, now),
        firing=() if incident.status == "resolved" else firing_findings(state, incident),
        steps=recommend_steps(incident, timeline, started_at=start.at),
    )


def find_start(incident: Incident, drift: Sequence[DriftLine], metrics: Sequence[MetricLine]) -> IncidentStart:
    """Return since when something is wrong: the earliest start of a cause, else of a metric, else the opening.

    A cause comes first, as in the status of production: a metric near its limit crosses it by chance, and its start
    depends on the length of the periods. What the monitor stored at its last run counts where the lines no longer
    show it.
    """
    causes = [
        IncidentStart(line.beyond_since, "drift", line.column, is_bound=line.is_beyond_throughout)
        for line in drift
        if line.beyond_since is not None
    ]
    degraded = [
        IncidentStart(line.beyond_since, "metric", line.metric, is_bound=line.is_beyond_throughout)
        for line in metrics
        if line.beyond_since is not None
    ]
    stored_causes = [
        IncidentStart(cause["drifting_since"], "drift", cause["column"])
        for cause in incident.details.get("causes", ())
        if cause["drifting_since"] is not None
    ]
    stored_metrics = [
        IncidentStart(metric["degraded_since"], "metric", metric["metric"])
        for metric in incident.details.get("metrics", ())
        if metric.get("degraded_since") is not None
    ]
    starts = causes or degraded or stored_causes or stored_metrics
    return min(starts, key=lambda start: start.at, default=IncidentStart(incident.opened_at, "opened"))


def _report_view(
    log: PredictionLog, config: Config, incident: Incident, *, bounds: tuple[int, int]
) -> LogWindowView | None:
    """Return the view of the range in whole hours, which reads no single row; None without the package."""
    digest = _digest_of(log.state, incident)
    package = None if digest is None else log.packages(digest)
    if package is None:
        return None
    log.roll_up()
    since, until = bounds[0] // HOUR_US * HOUR_US, -(-bounds[1] // HOUR_US) * HOUR_US
    return LogWindowView(
        incident.model,
        package,
        config,
        log=log,
        window=Window(since, until, since, until),
        now=bounds[1],
        is_single_version=True,
    )


def _digest_of(state: State, incident: Incident) -> str | None:
    version = incident.details.get("version")
    with state.reading() as connection:
        digests = {known.version: known.digest for known in store.read_versions(connection, incident.model)}
    return None if version is None else digests.get(version)


def _cause_lines(view: LogWindowView, incident: Incident) -> tuple[DriftLine, ...]:
    columns = [cause["column"] for cause in incident.details.get("causes", ())][:_MAX_LINES]
    lines = {line.column: line for line in view.drift_lines(baseline="training", columns=columns)} if columns else {}
    return tuple(lines[column] for column in columns if column in lines)


def _filters(view: LogWindowView, incident: Incident) -> dict[str, dict[str, tuple[str, ...]]]:
    parts = (*incident.details.get("causes", ()), *incident.details.get("slices", ()))
    columns = {part["column"] for part in parts}
    return {
        bins.name: dict(zip(bins.labels, bin_filters(bins), strict=True))
        for bins in view.package.reference.columns
        if bins.name in columns
    }


def _metric_lines(view: LogWindowView, incident: Incident) -> tuple[MetricLine, ...]:
    names = [metric["metric"] for metric in incident.details.get("metrics", ())][:_MAX_LINES]
    return view.metric_lines(names) if names else ()


def _effect(view: LogWindowView, start: IncidentStart) -> PredictionEffect:
    window = view.window
    hours = predictions_by_hour(view.log, since=window.since, until=window.until, digest=view.package.digest)
    return compare_predictions(
        hours, bounds=(window.since, window.until), start=start.at, min_rows=view.config.monitoring.min_rows
    )


def _read_timeline(state: State, incident: Incident, *, since: int, until: int) -> tuple[TimelineEvent, ...]:
    with state.reading() as connection:
        entries = store.read_audit_entries(connection, model=incident.model, since=since, limit=_MAX_RECORDS)
        deliveries = store.read_deliveries(
            connection, undelivered_only=False, incident=incident.seq, limit=_MAX_RECORDS
        )
    end = until if incident.resolved_at is None else incident.resolved_at + HOUR_US
    return incident_timeline(IncidentRecords(incident, entries, deliveries), since=since, until=end)


def _covering_silences(state: State, incident: Incident, now: int) -> tuple[Silence, ...]:
    with state.reading() as connection:
        active = store.read_active_silences(connection, at=now, model=incident.model)
    return tuple(silence for silence in active if silence.covers(incident.group_name, now))
