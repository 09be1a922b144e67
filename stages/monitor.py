"""The live window is judged: drift, performance, degradation, and who has to know. Not in the graph: it looks at what is live."""

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
    """Write what was found, tell who has to know, and end with the declared exit code."""
    code = run_monitor(config, find_project_root())
    if code:
        sys.exit(code)


if __name__ == "__main__":
    os.nice(10)  # a server on the same machine goes first
    main()
