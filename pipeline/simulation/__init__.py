"""Drive a running server with traffic as a scenario declares it."""

from pipeline.simulation.running import simulate
from pipeline.simulation.sending import Server
from pipeline.simulation.totals import PhaseTotals, Totals
from pipeline.simulation.traffic import Pool, fetch_pool

__all__ = ["PhaseTotals", "Pool", "Server", "Totals", "fetch_pool", "simulate"]
