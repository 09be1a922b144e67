from __future__ import annotations

from typing import Any

import pytest

from pipeline.serving.http.access_log import AccessLog, null_logger


class RecordingLogger:
    """A logger of structlog that records its lines."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, dict[str, Any]]] = []

    def info(self, _event: str, **line: Any) -> None:
        self.lines.append(("info", line))

    def warning(self, _event: str, **line: Any) -> None:
        self.lines.append(("warning", line))


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def write(log: AccessLog, status: int = 200, kind: str | None = None) -> None:
    log.write_line("predict", status, 1.5, "r-1", "ada", "127.0.0.1", kind=kind)


@pytest.mark.parametrize(
    ("status", "duration_s", "logs_all", "expected"),
    [(200, 0.1, False, False), (200, 1.1, False, True), (404, 0.1, False, True), (200, 0.1, True, True)],
)
def test_failed_and_slow_requests_are_logged(status: int, duration_s: float, logs_all: bool, expected: bool) -> None:
    assert AccessLog(null_logger(), logs_all=logs_all).should_log(status, duration_s) is expected


def test_a_line_has_the_fields_of_the_request() -> None:
    logger = RecordingLogger()
    write(AccessLog(logger, logs_all=False, clock=Clock()), 422, kind="invalid-rows")
    assert logger.lines == [
        (
            "info",
            {
                "operation": "predict",
                "status": 422,
                "duration_ms": 1.5,
                "request_id": "r-1",
                "caller": "ada",
                "address": "127.0.0.1",
                "problem": "invalid-rows",
            },
        )
    ]


def test_an_error_of_the_server_is_a_warning() -> None:
    logger = RecordingLogger()
    write(AccessLog(logger, logs_all=False, clock=Clock()), 503)
    assert logger.lines[0][0] == "warning"


def test_lines_beyond_fifty_in_a_second_are_counted_in_the_next_line() -> None:
    logger, clock = RecordingLogger(), Clock()
    log = AccessLog(logger, logs_all=False, clock=clock)
    for _ in range(80):
        write(log, 404)
    assert len(logger.lines) == 50
    clock.now = 1.0
    write(log, 404)
    assert logger.lines[-1][1]["n_suppressed"] == 30


def test_a_log_of_all_requests_suppresses_no_line() -> None:
    logger = RecordingLogger()
    log = AccessLog(logger, logs_all=True, clock=Clock())
    for _ in range(80):
        write(log)
    assert len(logger.lines) == 80
