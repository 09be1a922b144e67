"""Plugins and settings of every test."""

from __future__ import annotations

import os

from hypothesis import settings

pytest_plugins = [
    "tests.fixtures.proof",
    "tests.fixtures.watchdog",
    "tests.fixtures.tiers",
    "tests.fixtures.cli",
    "tests.fixtures.forked_programs",
    "tests.fixtures.garbage",
    "tests.fixtures.dask_cluster",
    "tests.fixtures.databases",
    "tests.fixtures.engine_wheel",
    "tests.fixtures.open_connections",
    "tests.fixtures.exclusive_tests",
    "tests.fixtures.extension_tables",
    "tests.fixtures.kafka_broker",
    "tests.fixtures.ray_cluster",
    "tests.fixtures.prometheus_server",
    "tests.fixtures.s3_server",
    "tests.fixtures.registered_project",
    "tests.fixtures.finished_workspaces",
]

# Programs that tests start find their modules compiled, also where the machine's environment says otherwise: each
# workspace has 300 modules, and each start would compile those that it imports.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# Machines are noisy, and no test is timed. All else stays as Hypothesis chose it for where it runs.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")
