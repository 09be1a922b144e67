"""Read the status of production for the status endpoint, from the engine and its state database."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pipeline.production_status import (
    ApiFacts,
    DatabaseFacts,
    LogFacts,
    ProductionFacts,
    StatusObservations,
    assess_production,
    inspect_state,
)
from pipeline.serving.serving_errors import NotReady

if TYPE_CHECKING:
    from pipeline.serving.engine import Engine

__all__ = ["ProductionReader"]


@dataclass(frozen=True, slots=True)
class ProductionReader:
    """Reads the status of production; a server does not ask MLflow, so its status leaves MLflow out.

    Parameters
    ----------
    engine : Engine
    monitor_period_us : int
        Longest time between two runs of the monitor, in microseconds.
    """

    engine: Engine
    monitor_period_us: int
    observations: StatusObservations = field(default_factory=StatusObservations)

    async def read(self, *, is_draining: bool) -> dict[str, Any]:
        """Return the status as plain values."""
        facts = ProductionFacts(
            model=self.engine.model,
            checked_at=time.time_ns() // 1000,
            monitor_period_us=self.monitor_period_us,
            database=await self._inspect_database(),
            api=self._own_facts(is_draining=is_draining),
            tracking=None,
            log=self._log_facts(),
        )
        return self.observations.add(assess_production(facts)).as_dict()

    def _log_facts(self) -> LogFacts:
        log = self.engine.status()["log"]
        return LogFacts(log["mode"], log["n_unlogged"])

    async def _inspect_database(self) -> DatabaseFacts:
        log = self.engine.status()["log"]
        if log["is_failing"]:  # the watch of the storage, or a commit, found it
            return DatabaseFacts("unavailable", self.engine.ready().detail or str(log["last_error"]))
        try:
            return await asyncio.to_thread(inspect_state, self.engine.state, self.engine.model)
        except NotReady as error:
            return DatabaseFacts("unavailable", str(error))

    def _own_facts(self, *, is_draining: bool) -> ApiFacts:
        """Return what this server would respond; a server of Staging reports no version of Production."""
        readiness, model = self.engine.ready(), self.engine.loaded_model
        is_ready = readiness.is_ready and not is_draining
        reason = "the server is stopping" if is_draining else readiness.detail or readiness.reason
        is_production = model is not None and self.engine.stage == "Production"
        return ApiFacts(
            "ready" if is_ready else "not_ready",
            "",
            is_declared=True,
            detail="" if is_ready else reason,
            model=None if model is None else model.name,
            version=model.version if model is not None and is_production else None,
            served_by=None if model is None else model.served_by,
        )
