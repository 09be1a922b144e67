"""Monitor the live window: drift, performance, degradation and alerts.

The stage is not in the DVC graph, because it reads live data.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from pipeline.alerts.monitor_loop import run_monitor
from pipeline.config.stage_entry import stage
from pipeline.project.root import find_project_root

if TYPE_CHECKING:
    from pipeline.config.root_config import Config


@stage("monitor", is_in_graph=False)
def main(config: Config) -> None:
    """Write the reports, notify receivers, and exit with the declared code."""
    exit_code = run_monitor(config, find_project_root())
    if exit_code:
        sys.exit(exit_code)


if __name__ == "__main__":
    os.nice(10)  # a server on the same machine has priority
    main()
