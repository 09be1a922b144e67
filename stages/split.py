"""Valid rows are divided into train and test, and the two are compared."""

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
    """Divide the valid rows, compare the parts, write both and the comparison."""
    schema = Schema.from_config(config.data)
    parts = split_train_test(files.read_parquet(paths.VALID_ROWS), schema, config.data.split, seed=config.seed)
    compared = compare_split(parts.train, parts.test, schema, config.validation, seed=config.seed)
    files.write_parquet(paths.TRAIN_ROWS, parts.train)
    files.write_parquet(paths.TEST_ROWS, parts.test)
    files.write_json(paths.SPLIT_REPORT, compared.as_dict())


if __name__ == "__main__":
    main()
