from typing import get_args

import pytest

from pipeline.config.file_formats import FORMAT_SUFFIXES, FileKind, file_format
from pipeline.config.groups.source_config import FileSource


@pytest.mark.parametrize(
    ("name", "kind", "compression"),
    [
        ("rows.csv", "csv", None),
        ("Sales 2024 (final).TXT.ZST", "csv", ".zst"),
        ("rows.jsonl.gz", "json", ".gz"),
        ("a.b.parquet", "parquet", None),
        ("book.xlsm", "excel", None),
        ("state.db", "sqlite", None),
    ],
)
def test_the_end_of_a_name_gives_the_format(name: str, kind: str, compression: str | None) -> None:
    found = file_format(name)
    assert found is not None
    assert (found.kind, found.compression) == (kind, compression)


@pytest.mark.parametrize("name", ["rows", "rows.gz", "rows.parquet.gz", "rows.csv.gz.gz", "rows.pkl", "csv", ".csv"])
def test_other_names_have_no_format(name: str) -> None:
    assert file_format(name) is None


def test_each_format_is_a_kind_of_source_of_files() -> None:
    sources = {get_args(model.model_fields["kind"].annotation)[0] for model in FileSource.__subclasses__()}
    assert sources == set(get_args(FileKind)) == set(FORMAT_SUFFIXES)
