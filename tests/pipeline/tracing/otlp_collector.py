"""A collector of OTLP over HTTP in a process of its own; it stores each request as a file in a folder."""

from __future__ import annotations

import subprocess
import sys
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["CollectedSpan", "OtlpCollector", "run_collector"]


class CollectedSpan(NamedTuple):
    """A received span."""

    service: str
    name: str
    trace_id: str
    span_id: str
    parent_id: str
    duration_s: float
    attributes: dict[str, Any]
    is_failed: bool


class OtlpCollector(NamedTuple):
    """The address of the collector, and its stored requests."""

    address: str
    folder: Path

    def spans(self) -> list[CollectedSpan]:
        return [span for path in sorted(self.folder.glob("*.otlp")) for span in _parse_spans(path.read_bytes())]


def _parse_spans(body: bytes) -> Iterator[CollectedSpan]:
    for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
        resource_attributes = {
            attribute.key: attribute.value.string_value for attribute in resource.resource.attributes
        }
        for span in (span for scope in resource.scope_spans for span in scope.spans):
            attributes = {
                attribute.key: getattr(attribute.value, str(attribute.value.WhichOneof("value")))
                for attribute in span.attributes
            }
            seconds = (span.end_time_unix_nano - span.start_time_unix_nano) / 1e9
            ids = (span.trace_id.hex(), span.span_id.hex(), span.parent_span_id.hex())
            yield CollectedSpan(
                resource_attributes["service.name"], span.name, *ids, seconds, attributes, span.status.code == 2
            )


@contextmanager
def run_collector(folder: Path) -> Iterator[OtlpCollector]:
    """Yield a running collector."""
    folder.mkdir(parents=True, exist_ok=True)
    process = subprocess.Popen([sys.executable, __file__, folder], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield OtlpCollector(f"http://127.0.0.1:{int(process.stdout.readline())}", folder)
    finally:
        process.terminate()
        process.wait(timeout=10)
        process.stdout.close()


class _ExportHandler(BaseHTTPRequestHandler):
    folder: Path
    n_requests = 0

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        type(self).n_requests += 1
        target = self.folder / f"{self.n_requests:06d}.part"
        target.write_bytes(body)
        target.rename(target.with_suffix(".otlp"))
        self.send_response(200 if self.path == "/v1/traces" else 404)
        self.send_header("Content-Type", "application/x-protobuf")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Log nothing."""


if __name__ == "__main__":
    _ExportHandler.folder = Path(sys.argv[1])
    server = ThreadingHTTPServer(("127.0.0.1", 0), _ExportHandler)
    print(server.server_port, flush=True)
    server.serve_forever()
