"""The prose linter finds what its rules name, and the repository has no finding beyond the baseline."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import yaml

from tests import prose

if TYPE_CHECKING:
    from pathlib import Path


def rules_of(texts: list[prose.Prose]) -> list[str]:
    rules = prose.Rules.load()
    return [finding.rule for text in texts for finding in rules.check(text)]


def test_no_finding_is_beyond_the_baseline() -> None:
    findings = prose.beyond_baseline(prose.findings())
    assert [f"{finding.path}:{finding.line}: {finding.rule}: {finding.text}" for finding in findings] == []


def test_the_pages_have_no_permitted_findings() -> None:
    assert "documentation" not in prose.load_baseline()


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("The server is told of it.", "told"),
        ("Every answer is logged.", "answer"),
        ("The version that serves is archived.", "serves"),
        ("Nobody looks at it.", "somebody"),
        ("One figure got worse.", "figure"),
        ("Its behaviour changes.", "british"),
        ("It is good " + "and good " * 12 + "too.", "length"),
    ],
)
def test_a_rule_finds_its_word_in_a_paragraph(text: str, rule: str) -> None:
    assert rule in rules_of(list(prose.markdown_prose("page.md", text)))


def test_code_and_comments_of_a_page_are_no_prose() -> None:
    page = "Use `figure`. <!-- told -->\n\n```bash\n# Nobody answers\n```\n"
    assert rules_of(list(prose.markdown_prose("page.md", page))) == []


def test_each_table_cell_and_list_item_is_checked_separately() -> None:
    page = "| told | " + "word " * 20 + "| " + "word " * 20 + "|\n\n- one\n  line\n- two kept\n"
    texts = list(prose.markdown_prose("page.md", page))
    assert [text.text for text in texts][-2:] == ["one line", "two kept"]
    assert rules_of(texts) == ["told", "kept"]


def test_messages_and_help_are_prose_and_other_docstrings_are_not() -> None:
    source = '@app.command()\ndef run():\n    """Say what is wrong."""\n    raise E(f"nobody answers {at} now")\n'
    assert rules_of(list(prose.python_prose("pipeline/cli/run.py", source))) == [
        "says",
        "what_is",
        "somebody",
        "answer",
    ]
    assert rules_of(list(prose.python_prose("pipeline/run.py", source))) == ["somebody", "answer"]


def test_a_comment_of_a_setting_is_prose() -> None:
    texts = list(prose.comment_prose("conf/a.yaml", "# Which answer?\nkey: 1   # is kept\nadress: a#b\n"))
    assert [text.line for text in texts] == [1, 2]
    assert rules_of(texts) == ["answer", "kept"]


def test_a_count_above_the_baseline_shows_all_findings_of_its_rule(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prose, "BASELINE", tmp_path / "baseline.yaml")
    prose.BASELINE.write_text("# Head\n\npipeline: {told: 1, kept: 2}\n", encoding="utf-8")
    too_many = [prose.Finding("pipeline/a.py", line, "told", "") for line in (1, 2)]
    permitted = [prose.Finding("pipeline/a.py", 3, "kept", "")]
    assert prose.beyond_baseline(too_many + permitted) == too_many


def test_the_baseline_shrinks_and_never_grows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prose, "BASELINE", tmp_path / "baseline.yaml")
    prose.BASELINE.write_text("# Head\n\npipeline: {told: 1, kept: 2}\n", encoding="utf-8")
    findings = [
        prose.Finding("pipeline/a.py", line, rule, "") for rule, line in (("told", 1), ("told", 2), ("kept", 3))
    ]
    prose.shrink_baseline(findings)
    assert prose.load_baseline() == {"pipeline": {"told": 1, "kept": 1}}
    assert prose.BASELINE.read_text(encoding="utf-8").startswith("# Head\n")


def test_the_rules_name_what_to_write_instead() -> None:
    rules = yaml.safe_load(prose.RULES.read_text(encoding="utf-8"))["rules"]
    assert len(rules) >= 20
    assert all(rule["use"] for rule in rules.values())
