"""The prose linter finds what its rules name, and the repository has no finding beyond the baseline."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
import yaml

from tests import prose

ROOT = Path(__file__).parents[1]
DOCUMENTS = [path for pattern in prose.PAGES for path in sorted(ROOT.glob(pattern))]
GUIDES = [
    path
    for kind in ("tutorials", "how-to", "reference", "explanation")
    for path in sorted((ROOT / "docs" / kind).glob("*.md"))
]
DECISIONS = sorted((ROOT / "docs/decisions").glob("[0-9]*.md"))
SECTIONS = ["Context", "Decision", "Alternatives", "Consequences"]
NAMED_FILE = r"`((?:pipeline|tests|app|stages|benchmarks|deploy|examples|conf|requirements)/[\w./-]+)`"
MADE_LATER = {"conf/data/customers.yaml", "deploy/docker/.env", "deploy/docker/viewer.key"}


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


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


def test_a_guide_states_its_readers_and_its_kind_first_and_ends_with_the_glossary() -> None:
    wrong = []
    for path in GUIDES:
        kind = {"tutorials": "tutorial"}.get(path.parent.name, path.parent.name)
        title, *_, last = lines = path.read_text(encoding="utf-8").strip().splitlines()
        has_readers = re.match(rf"For [^:]+: .*\({kind}\)", " ".join(lines[2:6]))
        if not (title.startswith("# ") and has_readers and last == "[Glossary](../glossary.md)"):
            wrong.append(name(path))
    assert wrong == []


def test_a_decision_has_number_date_status_and_the_four_sections() -> None:
    wrong = []
    index = (ROOT / "docs/decisions/README.md").read_text(encoding="utf-8")
    status = r"(?:proposed|accepted|superseded by )"
    for path in DECISIONS:
        text = path.read_text(encoding="utf-8")
        number = int(path.name[:4])
        head = rf"# {number}\. .+\n\n- Date: \d{{4}}-\d\d-\d\d\n- Status: {status}"
        sections = re.findall(r"^## (.+)$", text, re.MULTILINE)
        if not re.match(head, text) or sections != SECTIONS or f"[{number}]({path.name})" not in index:
            wrong.append(name(path))
    assert wrong == []


def test_every_decision_has_a_number() -> None:
    pages = {path.name for path in (ROOT / "docs/decisions").glob("*.md")} - {path.name for path in DECISIONS}
    assert pages == {"README.md"}


def test_links_and_named_files_of_a_page_exist() -> None:
    missing = []
    for path in DOCUMENTS:
        text = path.read_text(encoding="utf-8")
        named = set(re.findall(NAMED_FILE, text)) - MADE_LATER
        missing += [f"{name(path)}: {file}" for file in sorted(named) if not (ROOT / file).exists()]
        for target, anchor in re.findall(r"\]\(((?!http)[^)#]*)(?:#([^)]*))?\)", text):
            page = (path.parent / target) if target else path
            if not page.exists() or (anchor and anchor not in anchors(page)):
                missing.append(f"{name(path)}: {target}#{anchor}")
    assert missing == []


def anchors(page: Path) -> list[str]:
    """Return the anchors that GitHub gives to the headings of a page."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return [re.sub(r"[^\w -]", "", heading.lower()).strip().replace(" ", "-") for heading in headings]


def test_prose_lines_of_a_page_have_at_most_100_characters() -> None:
    long = []
    for path in DOCUMENTS:
        in_code = False
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
            in_code ^= line.lstrip().startswith("```")
            if len(line) > 100 and not in_code and not line.startswith("|") and " " in line[:80]:
                long.append(f"{name(path)}:{number}: {len(line)}")
    assert long == []


def test_every_guide_is_in_the_index() -> None:
    index = (ROOT / "docs/README.md").read_text(encoding="utf-8")
    assert [name(path) for path in GUIDES if f"({path.parent.name}/{path.name})" not in index] == []


def test_the_rules_name_what_to_write_instead() -> None:
    rules = yaml.safe_load(prose.RULES.read_text(encoding="utf-8"))["rules"]
    assert len(rules) >= 20
    assert all(rule["use"] for rule in rules.values())


def test_the_pictures_of_the_layers_are_those_of_the_import_contract() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]
    (layers,) = (
        contract["layers"] for contract in contracts["contracts"] if contract.get("containers") == ["pipeline"]
    )
    for page in ("docs/explanation/architecture.md", "CONTRIBUTING.md"):
        drawn = re.findall(r"^ │ (.+?)  ", (ROOT / page).read_text(encoding="utf-8"), re.MULTILINE)
        assert drawn == [" ".join(layer.split()) for layer in layers]
