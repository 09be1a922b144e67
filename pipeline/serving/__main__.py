"""Serve a model: `python -m pipeline.serving --model-name NAME`, the same as `mlops serve`."""

from pipeline.cli.root import run
from pipeline.cli.serve import serve

run(serve)
