from __future__ import annotations

import re

import numpy as np
import pandas as pd

from pipeline.schema import Column, Schema, Target
from pipeline.validation import render_html, validate
from tests.fixtures.toy_dataset import settings

LIMITS = settings().validation
TARGET = Target("answer", ("no", "yes"), "yes")


def test_the_worst_rows_make_a_page_of_bounded_size_that_needs_no_network() -> None:
    words = [f"{'&<>' * 500}{at}" for at in range(20)]
    columns = tuple(Column(f"column {at}", "text", "string", checks={"isin": ["good"]}) for at in range(150))
    frame = pd.DataFrame({column.name: np.resize(words, 40) for column in columns}).assign(answer=["no", "yes"] * 20)
    drawn = render_html(validate(frame, Schema("made", columns, TARGET), LIMITS))
    assert len(drawn.encode()) < 1_000_000
    assert "and 51 more columns; the JSON report has them all" in drawn
    assert re.search(r"and \d+ more findings", drawn)
    assert re.findall(r"https?://|<script|<link|@import|url\(", drawn) == []


def test_most_severe_finding_comes_first_with_its_cause_and_examples() -> None:
    frame = pd.DataFrame({"size": [1, 2, 99, 4], "answer": ["no", "yes", "no", "yes"]})
    schema = Schema("made", (Column("size", "integer", "Int64", checks={"le": 5}),), TARGET)
    drawn = render_html(validate(frame, schema, LIMITS, name="rows of <today>"))
    assert "<h1>rows of &lt;today&gt;</h1>" in drawn
    assert "1 of 4 rows break <code>le</code>" in drawn
    assert "<tr><td>2</td><td><code>99</code></td></tr>" in drawn


def test_page_of_valid_rows_reports_no_findings() -> None:
    frame = pd.DataFrame({"size": [1, 2, 3, 4], "answer": ["no", "yes", "no", "yes"]})
    schema = Schema("made", (Column("size", "integer", "Int64", checks={"le": 5}),), TARGET)
    assert "Nothing to say: every rule is kept." in render_html(validate(frame, schema, LIMITS))
