"""Split the valid rows into train and test, and compare both."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline import files
from pipeline.config.stage_entry import stage
from pipeline.data.splitters import split_train_test
from pipeline.project import paths
from pipeline.schema import Schema
from pipeline.validation import compare_split

if TYPE_CHECKING:
    from pipeline.config.root_config import Config


@stage("split")
def main(config: Config) -> None:
    """Write train rows, test rows and their comparison."""
    schema = Schema.from_config(config.data)
    split = split_train_test(files.read_parquet(paths.VALID_ROWS), schema, config.data.split, seed=config.seed)
    report = compare_split(split.train, split.test, schema, config.validation, seed=config.seed)
    files.write_parquet(paths.TRAIN_ROWS, split.train)
    files.write_parquet(paths.TEST_ROWS, split.test)
    files.write_json(paths.SPLIT_REPORT, report.as_dict())


if __name__ == "__main__":
    main()
