"""The `mlops` command: one verb for each thing that a person does with the engine."""

from pipeline.cli.root_command import main

__all__ = ["main"]
