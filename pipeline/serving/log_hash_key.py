"""The key of the hashes in the prediction log, created by the first start."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.files import load_or_create_secret
from pipeline.project import paths

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["load_hash_key"]

_HASH_KEY_BYTES = 32


def load_hash_key(root: Path) -> bytes:
    """Return the key of the project at `root`; the first call creates it in the state folder.

    Raises
    ------
    IntegrityError
        When the key is cut, empty, or can be read by other users: hashes with it would hide nothing.
    DependencyUnavailable
        When the key cannot be created or read.
    """
    return load_or_create_secret(root / paths.LOG_HASH_KEY, n_bytes=_HASH_KEY_BYTES, purpose="the hash key of the log")
