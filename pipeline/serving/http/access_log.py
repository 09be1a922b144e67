"""Configure the log of the process, and write a JSON line for requests: never with values that were sent."""

from __future__ import annotations

import logging
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["AccessLog", "configure_logging", "null_logger"]

_SLOW_REQUEST_S = 1.0
_MAX_LINES_PER_S = 50


@contextmanager
def _hide_modules(*names: str) -> Iterator[None]:
    """Make imports of these packages fail as if they were not installed."""
    modules: dict[str, Any] = sys.modules
    absent = [name for name in names if name not in modules]
    modules.update(dict.fromkeys(absent))
    try:
        yield
    finally:
        for name in absent:
            del modules[name]


# structlog imports them for output on terminals, which we do not use; they cost 4 MB and 5 % of the start-up time.
with _hide_modules("rich", "colorama", "better_exceptions"):
    import structlog


def configure_logging(*extra_processors: Any) -> Any:
    """Write log lines of this process and of its libraries to standard error as JSON; return the logger.

    Parameters
    ----------
    *extra_processors : callable
        Processors of structlog that add to each line.
    """
    shared: list[Any] = [
        *extra_processors,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[*shared, structlog.processors.JSONRenderer()],
        logger_factory=structlog.PrintLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    return structlog.get_logger()


def null_logger() -> Any:
    """Return a logger that discards its lines."""
    return structlog.wrap_logger(structlog.ReturnLogger(), processors=[])


@dataclass(slots=True)
class AccessLog:
    """Writes a line for each request, or only for failed and slow requests.

    In the latter case at most 50 lines a second are written; `n_suppressed` counts the others.

    Parameters
    ----------
    logger : structlog logger
    logs_all : bool
    clock : callable
        Returns seconds.
    """

    logger: Any
    logs_all: bool
    clock: Callable[[], float] = time.monotonic
    _second: int = 0
    _n_written: int = 0
    _n_suppressed: int = 0
    _fields: tuple[str, ...] = field(default=("operation", "status", "duration_ms", "request_id", "caller", "address"))

    def should_log(self, status: int, duration_s: float) -> bool:
        """Return whether a request is logged."""
        return self.logs_all or status >= 400 or duration_s > _SLOW_REQUEST_S

    def write_line(self, *values: Any, kind: str | None = None) -> None:
        """Write a line.

        Parameters
        ----------
        *values
            Operation, status, duration in milliseconds, request id, caller and address.
        kind : str, optional
            Type of the problem in the response.
        """
        second = int(self.clock())
        if second != self._second:
            self._second, self._n_written = second, 0
        if self._n_written >= _MAX_LINES_PER_S and not self.logs_all:
            self._n_suppressed += 1
            return
        self._n_written += 1
        line = dict(zip(self._fields, values, strict=True))
        if kind is not None:
            line["problem"] = kind
        if self._n_suppressed:
            line["n_suppressed"], self._n_suppressed = self._n_suppressed, 0
        (self.logger.warning if values[1] >= 500 else self.logger.info)("request", **line)
