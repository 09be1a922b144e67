"""Query the status of production: the state database at each call, the API and MLflow every few seconds."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

from app import queries
from pipeline.maintenance.production_check import ServiceFacts, collect_production_facts, probe_services
from pipeline.production_status import API_URL_ENV, inspect_project_state

if TYPE_CHECKING:
    from pipeline.production_status import ProductionFacts

__all__ = ["production_facts"]


def production_facts() -> ProductionFacts:
    """Return what is known about production: the database now, the API and MLflow at most three seconds ago.

    A promotion asks the API anew. The facts have the last moment at which this session saw the API respond.
    """
    folder, params = queries.project_root(), queries.config()
    database = inspect_project_state(folder, params.name)
    production = None if database.model is None else database.model.production
    environment = tuple(
        os.environ.get(name) for name in (params.alerts.server.url_env, params.tracking.uri_env, API_URL_ENV)
    )
    services = _cached_services(str(folder), environment, None if production is None else production.version)
    facts = collect_production_facts(folder, params, services, database=database)
    sightings = st.session_state.setdefault("api_seen_at", {})
    if facts.saw_api:
        sightings[facts.api.address] = facts.checked_at
    return facts.with_api_seen_at(sightings.get(facts.api.address))


@queries.cached(3, spinner=False)
def _cached_services(
    folder: str,
    environment: tuple[str | None, ...],  # noqa: ARG001 - a part of the cache key
    version: int | None,  # noqa: ARG001 - a part of the cache key
) -> ServiceFacts:
    return probe_services(Path(folder), queries.config())
