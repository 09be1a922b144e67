"""The `mlops` command line; one module for each group of commands."""

from pipeline.cli.root_command import main

__all__ = ["main"]
