"""Assess the status of production as one value, which the app, the CLI and the API show."""

from pipeline.production_status.api_probe import API_URL_ENV, ApiFacts, probe_api
from pipeline.production_status.component_status import ComponentStatus, HealthState, ProductionStatus
from pipeline.production_status.engine_assessment import assess_engine
from pipeline.production_status.gate_override import GateOverride, find_gate_override
from pipeline.production_status.log_assessment import LogFacts
from pipeline.production_status.monitor_assessment import assess_incidents
from pipeline.production_status.production_assessment import ProductionFacts, TrackingFacts, assess_production
from pipeline.production_status.state_facts import (
    DatabaseFacts,
    ModelFacts,
    inspect_project_state,
    inspect_state,
    monitor_period_us,
)
from pipeline.production_status.status_observations import StatusObservations

__all__ = [
    "API_URL_ENV",
    "ApiFacts",
    "ComponentStatus",
    "DatabaseFacts",
    "GateOverride",
    "HealthState",
    "LogFacts",
    "ModelFacts",
    "ProductionFacts",
    "ProductionStatus",
    "StatusObservations",
    "TrackingFacts",
    "assess_engine",
    "assess_incidents",
    "assess_production",
    "find_gate_override",
    "inspect_project_state",
    "inspect_state",
    "monitor_period_us",
    "probe_api",
]
