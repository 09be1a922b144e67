"""Query the status of production: the state database at each call, the API and MLflow every few seconds."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

from pipeline import state as store
from pipeline.errors import MlopsError
from pipeline.maintenance.production_check import ServiceFacts, collect_production_facts, probe_services
from pipeline.production_status import (
    API_URL_ENV,
    assess_engine,
    assess_production,
    inspect_project_state,
)

from .. import queries
from .engine_client import running_engine

if TYPE_CHECKING:
    from datetime import tzinfo

    from pipeline.production_status import ComponentStatus, ProductionFacts, ProductionStatus
    from pipeline.state import Incident

__all__ = ["engine_status", "production_facts", "production_status", "recent_incidents", "recent_production_facts"]


def production_status(zone: tzinfo, facts: ProductionFacts | None = None) -> ProductionStatus:
    """Return the status of production, with moments in `zone` and what this process observed."""
    known = production_facts() if facts is None else facts
    return queries.status_observations(str(queries.project_root())).add(assess_production(known, zone=zone))


def engine_status(at: int) -> ComponentStatus | None:
    """Return the status of the engine in this process at `at`; None where the API predicts instead."""
    if queries.api_address() is not None:
        return None
    root = queries.project_root()
    engine = running_engine(root)
    component = assess_engine(None if engine is None else engine.status(), at)
    return queries.status_observations(str(root)).add_component(component, at)


def production_facts() -> ProductionFacts:
    """Return what is known about production: the database now, the API and MLflow at most three seconds ago.

    A promotion asks the API anew. The facts have the last moment at which this session saw the API respond.
    """
    return _with_sightings(_read_facts())


def recent_production_facts() -> ProductionFacts:
    """Return what was known at most three seconds ago, for the part of each page that must cost nothing.

    A decision of a person, which is in the audit trail, reads it anew.
    """
    last_entry = None
    with suppress(MlopsError):  # a database that cannot be read is a fact
        last_entry = next((entry.seq for entry in queries.audit_entries(queries.config().name, limit=1)), None)
    return _with_sightings(_cached_facts(str(queries.project_root()), _environment(), last_entry))


def _read_facts() -> ProductionFacts:
    folder, params = queries.project_root(), queries.config()
    database = inspect_project_state(folder, params.name)
    production = None if database.model is None else database.model.production
    services = _cached_services(str(folder), _environment(), None if production is None else production.version)
    return collect_production_facts(folder, params, services, database=database)


def _environment() -> tuple[str | None, ...]:
    params = queries.config()
    return tuple(os.environ.get(name) for name in (params.alerts.server.url_env, params.tracking.uri_env, API_URL_ENV))


def _with_sightings(facts: ProductionFacts) -> ProductionFacts:
    sightings = st.session_state.setdefault("api_seen_at", {})
    if facts.saw_api:
        sightings[facts.api.address] = facts.checked_at
    return facts.with_api_seen_at(sightings.get(facts.api.address))


def recent_incidents(model: str, *, limit: int) -> list[Incident]:
    """Return the newest incidents of a model, resolved or not."""
    if not queries.has_state():
        return []
    with queries.state().reading() as connection:
        return store.read_incidents(connection, model, unresolved_only=False, limit=limit)


@queries.cached(3, spinner=False)
def _cached_services(
    folder: str,
    environment: tuple[str | None, ...],  # noqa: ARG001 - a part of the cache key
    version: int | None,  # noqa: ARG001 - a part of the cache key
) -> ServiceFacts:
    return probe_services(Path(folder), queries.config())


@queries.cached(3, spinner=False)
def _cached_facts(
    folder: str,  # noqa: ARG001 - a part of the cache key
    environment: tuple[str | None, ...],  # noqa: ARG001 - a part of the cache key
    last_entry: int | None,  # noqa: ARG001 - a part of the cache key
) -> ProductionFacts:
    return _read_facts()
