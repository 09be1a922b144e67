"""A report of gates has one verdict, and lists every gate as text and as Markdown."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from pipeline.gates import ComparedRows, Gate, GateReport

CANDIDATE, CHAMPION = "c" * 64, "d" * 64
ECE = Gate("limit ece", "pass", "0.01 | calibrated", value=0.01, threshold=0.02, fails_when="above", unit="probability")
LATENCY = Gate(
    "latency", "fail", "median", value=7.0, threshold=5.0, fails_when="above", unit="ms", depends_on="machine"
)
SUPERIORITY = Gate("champion", "hold", "no significant difference", depends_on="champion")


def report(*gates: Gate) -> GateReport:
    return GateReport(candidate=CANDIDATE, champion=CHAMPION, gates=gates)


@pytest.mark.parametrize(
    ("gates", "verdict"),
    [((), "promote"), ((ECE,), "promote"), ((ECE, SUPERIORITY), "hold"), ((SUPERIORITY, LATENCY, ECE), "reject")],
)
def test_the_verdict_is_that_of_the_worst_gate(gates: tuple[Gate, ...], verdict: str) -> None:
    assert report(*gates).verdict == verdict


def test_unmet_gates_are_those_that_hold_or_fail() -> None:
    assert report(ECE, SUPERIORITY, LATENCY).unmet_gates == (SUPERIORITY, LATENCY)


def test_reproducible_gates_depend_on_neither_machine_nor_champion() -> None:
    reproducible = report(ECE, SUPERIORITY, LATENCY).only_reproducible()
    assert (reproducible.gates, reproducible.champion) == ((ECE,), None)


def test_a_report_survives_json() -> None:
    gates = replace(report(ECE, SUPERIORITY, LATENCY), compared=ComparedRows(n_rows=70, n_learned_by_champion=30))
    assert GateReport.from_dict(json.loads(json.dumps(gates.as_dict()))) == gates


@pytest.mark.parametrize(
    ("compared", "sentence"),
    [
        (ComparedRows(1, 0), "on 1 test row; the champion learned from none of them"),
        (ComparedRows(1200, 1), "on 1,200 test rows; 1 test row that the champion learned from left the comparison"),
        (ComparedRows(0, 1200), "on 0 test rows; 1,200 test rows that the champion learned from left the comparison"),
    ],
)
def test_text_and_card_name_the_rows_that_left_the_comparison(compared: ComparedRows, sentence: str) -> None:
    gates = replace(report(ECE), compared=compared)
    assert sentence in gates.as_text()
    assert sentence in gates.as_markdown()


def test_the_text_aligns_the_columns_and_ends_with_the_verdict() -> None:
    assert report(ECE, LATENCY).as_text().splitlines() == [
        "limit ece  pass  0.01 (at most 0.02) probability  0.01 | calibrated",
        "latency    fail  7 (at most 5) ms                 median",
        "verdict: reject",
    ]


def test_the_markdown_has_one_row_for_each_gate_and_no_stray_cells() -> None:
    lines = report(ECE, SUPERIORITY).as_markdown().splitlines()
    assert "Verdict: **hold** (against champion `dddddddddddd`)." in lines
    assert "| limit ece | pass | 0.01 (at most 0.02) probability | 0.01 \\| calibrated |" in lines
    assert "| champion | hold |  | no significant difference |" in lines


def test_the_markdown_names_a_missing_champion() -> None:
    markdown = GateReport(candidate=CANDIDATE, champion=None, gates=(ECE,)).as_markdown()
    assert "no champion: no version is in Production" in markdown
