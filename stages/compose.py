"""Compose conf/ into params.yaml, with the origin of every value."""

from __future__ import annotations

from pipeline.config.stage_entry import run_compose_stage
from pipeline.settings_check import check_settings

if __name__ == "__main__":
    run_compose_stage(check_settings)
