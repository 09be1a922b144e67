"""A file whose bytes changed on the way is read, or refused by name; no reader ends in a traceback or an abort."""

import random
from pathlib import Path

import pytest

from pipeline.data.formats.readers import open_typed_file
from pipeline.data.formats.typed_file import read_all
from pipeline.errors import DataError
from tests.pipeline.data.formats.row_files import WRITERS, write_rows
from tests.pipeline.data.formats.test_same_rows import ROWS

N_TRIES = 25


@pytest.mark.parametrize("name", [name for name in WRITERS if "csv" not in name and name != "rows.duckdb"])
def test_flipped_bytes_give_rows_or_an_error_that_names_the_file(tmp_path: Path, name: str) -> None:
    path = write_rows(tmp_path / name, ROWS * 10)
    content = path.read_bytes()
    messages = []
    for seed in range(N_TRIES):
        rng = random.Random(seed)
        changed = bytearray(content)
        for _ in range(rng.choice([1, 3, 20])):
            changed[rng.randrange(len(changed))] = rng.randrange(256)
        path.write_bytes(changed)
        try:
            file = open_typed_file(path)
            assert file is not None
            read_all(file, file.names)
        except DataError as error:
            messages.append(str(error))
    assert messages
    assert [message for message in messages if name not in message] == []
