"""Drive a running server with traffic as a scenario declares it."""

from pipeline.simulation.running import simulate
from pipeline.simulation.sending import ServerClient
from pipeline.simulation.totals import PhaseResult, SimulationResult
from pipeline.simulation.traffic import RowPool, fetch_row_pool

__all__ = ["PhaseResult", "RowPool", "ServerClient", "SimulationResult", "fetch_row_pool", "simulate"]
