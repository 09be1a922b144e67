"""Send the traffic of a scenario to a running server."""

from pipeline.simulation.runner import run_scenario
from pipeline.simulation.server_client import ServerClient
from pipeline.simulation.simulation_result import PhaseResult, SimulationResult
from pipeline.simulation.traffic import RowPool, fetch_row_pool

__all__ = ["PhaseResult", "RowPool", "ServerClient", "SimulationResult", "fetch_row_pool", "run_scenario"]
