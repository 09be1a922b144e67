"""Rows in several files, scored in parts, for the tests beside this file."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from tests.fixtures.registered_project import make_rows

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pipeline.storage import StoragePath

__all__ = ["comparable", "digest_of_rows", "manifest_of", "many_rows", "read_output", "write_rows"]


def many_rows(n_rows: int) -> pa.Table:
    """Return rows of the problem with an id, the number of the row."""
    table = pa.Table.from_pandas(pd.DataFrame(make_rows(500)).convert_dtypes(), preserve_index=False)
    repeated = pa.concat_tables([table] * (n_rows // 500 + 1)).slice(0, n_rows).combine_chunks()
    return repeated.append_column("id", pa.array(range(n_rows), pa.int64()))


def write_rows(path: Path, table: pa.Table, *, group_rows: int = 1_000_000) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".csv":
        table.to_pandas(ignore_metadata=True).to_csv(path, index=False)
    else:
        pq.write_table(table, path, row_group_size=group_rows)
    return path


def manifest_of(folder: Path) -> Any:
    return json.loads((folder / "_manifest.json").read_bytes())


def read_output(folder: StoragePath) -> pa.Table:
    """Return the rows of a committed folder, by its manifest."""
    manifest = json.loads((folder / "_manifest.json").read_bytes())
    names = [file["name"] for part in manifest["parts"] for file in part["files"]]
    tables = []
    for name in names:
        with (folder / name).open_input() as stream:
            tables.append(pq.read_table(stream))
    return pa.concat_tables(tables)


def digest_of_rows(table: pa.Table) -> str:
    """Return a digest of all rows in their order."""
    digest = hashlib.sha256()
    for name in table.column_names:
        column = table[name]
        is_number = pa.types.is_primitive(column.type)
        digest.update(column.to_numpy().tobytes() if is_number else "\n".join(map(str, column.to_pylist())).encode())
    return digest.hexdigest()


def comparable(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Return a manifest without what differs between runs: names of attempts, moment and process."""
    parts = [{**part, "files": [{**file, "name": ""} for file in part["files"]]} for part in manifest["parts"]]
    return {**manifest, "parts": parts, "committed_at": "", "committed_by": ""}
