"""Check production: ask state database, API and MLflow at once, and report the status as app and API do."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.config.config_loader import load_params
from pipeline.errors import ConfigError, DataError
from pipeline.maintenance.diagnosis import Diagnosis
from pipeline.production_status import (
    LogFacts,
    ProductionFacts,
    assess_production,
    inspect_project_state,
    monitor_period_us,
    probe_api,
)
from pipeline.project import paths
from pipeline.tracking.tracking_probe import probe_tracking

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.config.root_config import Config
    from pipeline.production_status import (
        ApiFacts,
        ComponentStatus,
        DatabaseFacts,
        ProductionStatus,
        TrackingFacts,
    )

__all__ = ["ServiceFacts", "check_production", "collect_production_facts", "diagnose_production", "probe_services"]


@dataclass(frozen=True, slots=True)
class ServiceFacts:
    """What the API and MLflow responded."""

    api: ApiFacts
    tracking: TrackingFacts


def probe_services(root: Path, config: Config) -> ServiceFacts:
    """Ask the API and MLflow at once, with a timeout of 1.5 seconds each; a failure is a fact, not an error."""
    with ThreadPoolExecutor(2, thread_name_prefix="probe") as pool:
        api = pool.submit(probe_api, config.alerts.server, config.serving)
        tracking = pool.submit(probe_tracking, root, config.tracking)
        return ServiceFacts(api.result(), tracking.result())


def collect_production_facts(
    root: Path, config: Config, services: ServiceFacts, *, database: DatabaseFacts | None = None
) -> ProductionFacts:
    """Return what is known about production now; the state database is read unless its facts are given."""
    if database is None:
        database = inspect_project_state(root, config.name)
    return ProductionFacts(
        model=config.name,
        checked_at=time.time_ns() // 1000,  # after all responses: no moment in them is later
        monitor_period_us=monitor_period_us(config.monitoring),
        database=database,
        api=services.api,
        tracking=services.tracking,
        log=LogFacts(config.serving.log.mode),
    )


def check_production(root: Path, config: Config) -> ProductionStatus:
    """Return the status of production now; its sentences have moments in UTC."""
    return assess_production(collect_production_facts(root, config, probe_services(root, config)))


def diagnose_production(root: Path) -> tuple[Diagnosis, ...]:
    """Return one diagnosis for each component of production; none without valid settings, which another check reports.

    Only a state database that is down keeps the project itself from working.
    """
    try:
        config = load_params(root / paths.PARAMS)
    except (ConfigError, DataError, FileNotFoundError):
        return ()
    return tuple(_diagnose(component) for component in check_production(root, config).components)


def _diagnose(component: ComponentStatus) -> Diagnosis:
    check = f"production: {component.label}"
    if component.state == "healthy":
        return Diagnosis(check, "ok", component.text)
    if component.state == "unknown":
        return Diagnosis(check, "unknown", component.text)
    is_problem = component.name == "database" and component.state == "down"
    return Diagnosis(check, "problem" if is_problem else "warning", component.text)
