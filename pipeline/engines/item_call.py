"""Run a function on an item in another process, and return its result or raise its error here."""

from __future__ import annotations

import os
import pickle  # nosec B403 - between processes that trust each other
import platform
import socket
import traceback
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from pipeline.errors import DependencyUnavailable, MlopsError
from pipeline.extensions import load_extensions, loaded_extensions
from pipeline.files import sha256

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["ItemCall", "dump_value", "load_value", "read_result", "software_versions"]

T = TypeVar("T")
R = TypeVar("R")
# What the bytes of a result may depend on.
_PACKAGES = ("numpy", "onnxruntime", "pandas", "pyarrow", "scikit-learn")
_PACKAGE_FOLDER = Path(__file__).parents[1]


def dump_value(value: object) -> bytes:
    """Return a value as bytes for another process."""
    return pickle.dumps(value)


def load_value(value: bytes) -> Any:
    """Return the value that `dump_value` wrote in a process of the same user or cluster."""
    return pickle.loads(value)  # noqa: S301 - the processes of a run trust each other  # nosec B301


class ItemCall(Generic[T, R]):
    """A function, with the versions and extensions of the process that made it; called in other processes.

    Parameters
    ----------
    function : callable
    versions : mapping, optional
        Versions that a process must have to call it; not compared when None.
    """

    def __init__(self, function: Callable[[T], R], *, versions: Mapping[str, str] | None = None) -> None:
        self._function = function
        self._versions = versions
        self._extensions = tuple(extension.declaration for extension in loaded_extensions())

    def __call__(self, item: bytes) -> bytes:
        """Call the function on a pickled item, and return what `read_result` reads; never raises an `Exception`."""
        try:
            if self._versions is not None:
                _require_versions(self._versions)
            load_extensions(self._extensions)
            return dump_value((True, self._function(load_value(item))))
        except Exception as error:  # noqa: BLE001 - raised in the process that reads the result
            return _pickled_error(error)


class _WorkerTraceback(Exception):
    """The traceback of a worker, as the cause of the error that it raised."""

    def __str__(self) -> str:
        return f"in a worker:\n{self.args[0]}"


def read_result(result: bytes) -> Any:
    """Return the result of a call, or raise the error of its function.

    Raises
    ------
    Exception
        Of the class that the function raised, with the traceback of the worker as its cause. A class that cannot be
        pickled is replaced by the nearest base class that can.
    """
    has_value, value, *rest = load_value(result)
    if has_value:
        return value
    raise value from _WorkerTraceback(*rest)


def _pickled_error(error: Exception) -> bytes:
    trace = "".join(traceback.format_exception(error))
    for candidate in _candidates(error):
        try:
            text = dump_value((False, candidate, trace))
            load_value(text)
        except Exception:  # noqa: BLE001, S112 - a class may fail in any way, and the next one is tried
            continue
        return text
    raise AssertionError("RuntimeError can be pickled")


def _candidates(error: Exception) -> list[Exception]:
    """Return the error itself, and then errors of other classes with its message."""
    known = [base for base in type(error).__mro__ if base.__module__ in ("builtins", MlopsError.__module__)]
    message = str(error) if isinstance(error, MlopsError) else f"{type(error).__name__}: {error}"
    simple = [base(message) for base in known if issubclass(base, MlopsError) and base is not type(error)]
    return [error, *simple, RuntimeError(message)]


@lru_cache(maxsize=1)
def software_versions() -> Mapping[str, str]:
    """Return the version of Python, of packages, and a digest of our own code, of this process."""
    versions = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            versions[package] = "absent"
    code = b"".join(path.read_bytes() for path in sorted(_PACKAGE_FOLDER.rglob("*.py")))
    return versions | {"pipeline": sha256(code)[:12]}


def _require_versions(expected: Mapping[str, str]) -> None:
    found = software_versions()
    different = [f"{name} {found.get(name)} instead of {expected[name]}" for name in expected]
    different = [text for name, text in zip(expected, different, strict=True) if found.get(name) != expected[name]]
    if different:
        raise DependencyUnavailable(
            f"engine: the worker {socket.gethostname()}:{os.getpid()} has {', '.join(different)} of the driver;"
            " run the driver and all workers from one image"
        )
