from __future__ import annotations

import re

import numpy as np
import pandas as pd

from pipeline.schema import Column, Schema, Target
from pipeline.validation import validate_rows
from pipeline.validation.validation_html import validation_report_html
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
    assert '<h1>Validation of rows of &lt;today&gt; <span class="badge bad">critical</span></h1>' in html
    assert "1 of 4 rows break <code>le</code>" in html
    assert '<th scope=row>2</th><td data-label="value"><code>99</code></td>' in html


def test_page_of_valid_rows_reports_no_findings() -> None:
    frame = pd.DataFrame({"size": [1, 2, 3, 4], "outcome": ["no", "yes", "no", "yes"]})
    schema = Schema("made", (Column("size", "integer", "Int64", checks={"le": 5}),), TARGET)
    assert "Every rule passes." in validation_report_html(validate_rows(frame, schema, LIMITS))


def test_equal_findings_of_several_columns_are_one_card_with_a_line_for_each_column() -> None:
    columns = tuple(Column(name, "integer", "Int64", nullable=True) for name in ("first", "second"))
    frame = pd.DataFrame({"first": [1, None, 3, 4], "second": [None, None, 3, 4], "outcome": ["no", "yes"] * 2})
    html = validation_report_html(validate_rows(frame, Schema("made", columns, TARGET), LIMITS))
    assert html.count("<code>missing</code>") == 1
    assert html.count("Optional at the source, or an unmatched join.") == 1
    assert '<th scope=row>second</th><td data-label="share">50%</td>' in html


def test_the_parts_of_the_score_are_listed_with_their_weights() -> None:
    frame = pd.DataFrame({"size": [1, 1, 2, 2], "outcome": ["no", "no", "yes", "no"]})
    schema = Schema("made", (Column("size", "integer", "Int64"),), TARGET)
    report = validate_rows(frame, schema, LIMITS)
    assert LIMITS.score_weights.uniqueness == 15
    row = '<td data-label="share">75%</td><td data-label="weight">15</td><td data-label="points">11.2</td>'
    assert row in validation_report_html(report)


def test_the_page_names_its_rows_and_links_the_index() -> None:
    frame = pd.DataFrame({"size": [1, 2, 3, 4], "outcome": ["no", "yes", "no", "yes"]})
    report = validate_rows(frame, Schema("made", (Column("size", "integer", "Int64"),), TARGET), LIMITS)
    html = validation_report_html(report, rows_md5="d41d8cd9", index_address="index.html")
    assert "<dd>d41d8cd9</dd>" in html
    assert '<a href="index.html">All reports</a>' in html
