"""Run one function on many items: in this process, in processes of this machine, or on a cluster."""

from pipeline.engines.part_engine import PartEngine, open_engine

__all__ = ["PartEngine", "open_engine"]
