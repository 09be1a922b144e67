"""The live window is judged: drift, performance, degradation, as JSON and as a page. Not in the graph: it looks at what is live."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from pipeline import files, paths
from pipeline.config.entry import stage
from pipeline.monitoring import ModelMonitor
from pipeline.monitoring.page import headline, is_calm, page

if TYPE_CHECKING:
    from pipeline.config.types import Config


@stage("monitor")
def main(config: Config) -> None:
    """Write what was found; end with `monitoring.exit_code` when something drifted or degraded."""
    report = ModelMonitor(config.name, config=config).generate_monitoring_report()
    files.write_json(paths.MONITORING, report)
    files.write_text(paths.MONITORING_PAGE, page(report))
    print(f"[monitor] {headline(report)}")
    print(f"[monitor] {paths.MONITORING_PAGE} has the pictures", flush=True)
    if not is_calm(report) and config.monitoring.exit_code:
        sys.exit(config.monitoring.exit_code)


if __name__ == "__main__":
    main()
