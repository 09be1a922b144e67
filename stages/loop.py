"""Run the loop: advance trials and retrains every `lifecycle.interval_minutes`, within what conf/lifecycle permits.

The stage is not in the DVC graph, because it reads live data.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from pipeline.config.stage_entry import stage
from pipeline.loop import print_loop_run, run_loop
from pipeline.project.root import find_project_root

if TYPE_CHECKING:
    from pipeline.config.root_config import Config


@stage("loop", is_in_graph=False)
def main(config: Config) -> None:
    """Run until a signal ends it."""
    code = run_loop(config, find_project_root(), once=False, report=print_loop_run)
    if code:
        sys.exit(code)


if __name__ == "__main__":
    os.nice(10)  # a server on the same machine has priority
    main()
