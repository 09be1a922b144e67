from __future__ import annotations

import re

import numpy as np
import pandas as pd

from pipeline.schema import Column, Schema, Target
from pipeline.validation import validate_rows, validation_report_html
from tests.fixtures.toy_dataset import settings

LIMITS = settings().validation
TARGET = Target("outcome", ("no", "yes"), "yes")


def test_the_worst_rows_make_a_page_of_bounded_size_that_needs_no_network() -> None:
    texts = [f"{'&<>' * 500}{at}" for at in range(20)]
    columns = tuple(Column(f"column {at}", "text", "string", checks={"isin": ["good"]}) for at in range(150))
    frame = pd.DataFrame({column.name: np.resize(texts, 40) for column in columns}).assign(outcome=["no", "yes"] * 20)
    html = validation_report_html(validate_rows(frame, Schema("made", columns, TARGET), LIMITS))
    assert len(html.encode()) < 1_000_000
    assert "51 more columns in the JSON report" in html
    assert re.search(r"\d+ more findings in the JSON report", html)
    assert re.findall(r"https?://|<script|<link|@import|url\(", html) == []


def test_most_severe_finding_comes_first_with_its_cause_and_examples() -> None:
    frame = pd.DataFrame({"size": [1, 2, 99, 4], "outcome": ["no", "yes", "no", "yes"]})
    schema = Schema("made", (Column("size", "integer", "Int64", checks={"le": 5}),), TARGET)
    html = validation_report_html(validate_rows(frame, schema, LIMITS, name="rows of <today>"))
    assert "<h1>rows of &lt;today&gt;</h1>" in html
    assert "1 of 4 rows break <code>le</code>" in html
    assert "<tr><td>2</td><td><code>99</code></td></tr>" in html


def test_page_of_valid_rows_reports_no_findings() -> None:
    frame = pd.DataFrame({"size": [1, 2, 3, 4], "outcome": ["no", "yes", "no", "yes"]})
    schema = Schema("made", (Column("size", "integer", "Int64", checks={"le": 5}),), TARGET)
    assert "Every rule passes." in validation_report_html(validate_rows(frame, schema, LIMITS))
