"""Fetch the rows of the declared source into one table with a fingerprint."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pipeline import files
from pipeline.config.stage_entry import stage
from pipeline.data import sources
from pipeline.project import paths

if TYPE_CHECKING:
    from pipeline.config.root_config import Config


@stage("ingest")
def main(config: Config) -> None:
    """Write the rows and the fingerprint of their source."""
    sourced = sources.fetch_rows(config.data, root=Path())
    files.write_parquet(paths.RAW_ROWS, sourced.frame)
    files.write_json(paths.SOURCE_FINGERPRINT, sourced.fingerprint)


if __name__ == "__main__":
    main()
