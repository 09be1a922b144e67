"""Responses are counted by result, and the table shows rows, rates and outcomes."""

from __future__ import annotations

from pipeline.simulation.server_client import ClientResponse
from pipeline.simulation.simulation_result import PhaseCounter, PhaseResult, SimulationResult


def counted_phase() -> PhaseResult:
    counter = PhaseCounter("calm", 1_767_225_600.0)
    for status, elapsed_s in ((200, 0.002), (200, 0.004), (422, 0.001), (None, 5.0)):
        counter.add_response(4, ClientResponse(status, None, elapsed_s))
    return counter.to_result(1_767_225_610.0)


def test_rows_are_counted_by_result_and_requests_by_status() -> None:
    assert counted_phase().as_dict() == {
        "name": "calm",
        "since": "2026-01-01T00:00:00.000Z",
        "until": "2026-01-01T00:00:10.000Z",
        "rows_per_s": 1.6,
        "n_rows": {"sent": 16, "succeeded": 8, "refused": 4, "failed": 4},
        "statuses": {"200": 2, "422": 1, "none": 1},
        "latency_ms": 3.0,
    }


def test_a_phase_without_responses_has_no_latency() -> None:
    phase = PhaseCounter("silent", 0.0).to_result(10.0)
    assert (phase.median_latency_ms, phase.rows_per_s) == (None, 0.0)


def test_the_last_phase_is_one_with_successful_requests() -> None:
    calm, silent = counted_phase(), PhaseCounter("silent", 0.0).to_result(10.0)
    result = SimulationResult((calm, silent), 3, 1, 2, is_interrupted=False)
    assert result.last_phase is calm
    assert SimulationResult((silent,), 0, 0, 0, is_interrupted=True).last_phase is None


def test_the_table_ends_with_the_outcomes() -> None:
    lines = list(SimulationResult((counted_phase(),), 3, 1, 2, is_interrupted=False).text_lines())
    assert lines[0].split() == ["phase", "rows", "sent", "succeeded", "refused", "failed", "rows/s", "median", "ms"]
    assert lines[1].split() == ["calm", "16", "8", "4", "4", "2", "3.0"]
    assert lines[2] == "outcomes: 3 sent, 1 refused, 2 not sent"
