"""Name a problem after its files: a name that YAML, Hydra and file systems all read as a plain word."""

from __future__ import annotations

import re
import unicodedata
from os.path import commonprefix
from typing import TYPE_CHECKING

from pipeline.config.file_formats import file_format
from pipeline.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

__all__ = ["check_config_name", "name_after_files"]

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
# Words that YAML or Hydra read as a number, a boolean or nothing.
_VALUE_WORDS = frozenset(
    {"y", "n", "yes", "no", "on", "off", "true", "false", "null", "none", "nan", "inf", "infinity"}
)
_PREFIX = "data"


def name_after_files(files: Sequence[Path]) -> str:
    """Return a name for the problem of these files: their common beginning in small letters.

    Examples
    --------
    >>> from pathlib import Path
    >>> [name_after_files([Path(name)]) for name in ("Kündigungen (neu).csv.gz", "2024.csv", "yes.csv")]
    ['kundigungen_neu', 'data_2024', 'data_yes']
    >>> name_after_files([Path("sales-2023.csv"), Path("sales-2024.csv")])
    'sales'
    """
    stems = [_stem(file) for file in files]
    stem = commonprefix(stems)  # noqa: RUF071 - of characters, not of folders
    if len(set(stems)) > 1:
        stem = re.sub(r"\d+$", "", stem)
    plain = unicodedata.normalize("NFKD", stem.replace("ß", "ss")).encode("ascii", "ignore").decode()
    name = re.sub(r"\W+", "_", plain).strip("_").lower()
    return name if _is_word(name) else f"{_PREFIX}_{name}".strip("_")


def check_config_name(name: str) -> str:
    """Return `name` if a problem can have it.

    Raises
    ------
    UsageError
        When settings would read it as another word, or it is no word.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"--name {name!r}: a name starts with a letter and contains letters, digits and underscores only"
        )
    if not _is_word(name):
        raise UsageError(f"--name {name!r}: settings read it as a value, not as a name; use --name {_PREFIX}_{name}")
    return name


def _is_word(name: str) -> bool:
    return _NAME.fullmatch(name) is not None and name.lower() not in _VALUE_WORDS


def _stem(file: Path) -> str:
    found = file_format(file.name)
    suffix = "" if found is None else f"{found.suffix}{found.compression or ''}"
    return file.name[: len(file.name) - len(suffix)] if suffix else file.stem
