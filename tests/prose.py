"""Check the prose of pages, help texts and messages against the rules of `prose.yaml`: `python -m tests.prose`."""

from __future__ import annotations

import argparse
import ast
import re
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1]
RULES = ROOT / "tests/prose.yaml"
BASELINE = ROOT / "tests/prose_baseline.yaml"
PAGES = ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "docs/**/*.md")
SOURCES = ("pipeline/**/*.py", "app/**/*.py", "stages/*.py")
COMMENTED = ("conf/**/*.yaml", "dvc.yaml", "Makefile")
LENGTH = "length"

_INLINE_CODE = re.compile(r"`[^`]*`")
_CODE_LIST = re.compile(r"Code(?:, (?:and |or )?Code)+")
_LINK = re.compile(r"!?\[([^\]]*)\]\([^)]*\)")
_COMMENT = re.compile(r"<!--.*?-->")
_SENTENCE_END = re.compile(r"(?<=[.!?])[\"')*]*\s+(?=[\"'(*A-Z0-9`])")
_WORD = re.compile(r"[A-Za-z0-9][\w'.-]*")
_BULLET = re.compile(r"^\s*(?:[-*]|\d+\.)\s+")
_SQL = re.compile(r"\b(?:SELECT|INSERT|UPDATE|DELETE|CREATE|ALTER|PRAGMA)\b")
_TAG = re.compile(r"<[^>]*>")


@dataclass(frozen=True)
class Prose:
    """A piece of text with its place: one paragraph, table cell, message or comment."""

    path: str
    line: int
    text: str


@dataclass(frozen=True)
class Finding:
    """One violation of one rule."""

    path: str
    line: int
    rule: str
    text: str

    @property
    def area(self) -> str:
        """The part of the repository whose findings are counted together."""
        return "documentation" if self.path.endswith(".md") else self.path.split("/", maxsplit=1)[0]


@dataclass(frozen=True)
class Rules:
    """The rules of `prose.yaml`, compiled."""

    max_words: int
    patterns: dict[str, re.Pattern[str]]
    replacements: dict[str, str]
    exempt: dict[str, list[str]]

    @classmethod
    def load(cls, path: Path = RULES) -> Rules:
        """Read the rules from a YAML file."""
        tree = yaml.safe_load(path.read_text(encoding="utf-8"))
        rules = tree["rules"]
        return cls(
            max_words=tree["max_words_per_sentence"],
            patterns={name: re.compile(rf"\b(?:{rule['pattern']})\b", re.IGNORECASE) for name, rule in rules.items()},
            replacements={name: rule["use"] for name, rule in rules.items()},
            exempt=tree["exempt"],
        )

    def check(self, prose: Prose) -> Iterator[Finding]:
        """Yield the findings of one text."""
        exempt = self.exempt.get(prose.path, [])
        if "all" in exempt:
            return
        for name, pattern in self.patterns.items():
            if name not in exempt:
                for match in pattern.finditer(prose.text):
                    yield Finding(prose.path, prose.line, name, f"{match[0]!r}: use {self.replacements[name]}")
        if LENGTH not in exempt:
            for sentence in _SENTENCE_END.split(prose.text):
                n_words = len(_WORD.findall(sentence))
                if n_words > self.max_words:
                    yield Finding(prose.path, prose.line, LENGTH, f"{n_words} words: {sentence[:60]} ...")


def plain(markdown: str) -> str:
    """Replace inline code, or a list of it, by one word, links by their text, and drop comments."""
    text = _LINK.sub(r"\1", _INLINE_CODE.sub("Code", _COMMENT.sub("", markdown)))
    return _CODE_LIST.sub("Code", text)


def markdown_prose(path: str, text: str) -> Iterator[Prose]:
    """Yield headings, paragraphs, list items and table cells of a page, without its code blocks."""
    paragraph: list[str] = []
    start, in_code = 1, False
    for number, line in enumerate([*text.splitlines(), ""], start=1):
        is_fence = line.lstrip().startswith("```")
        ends = is_fence or in_code or not line.strip() or line.startswith(("#", "|")) or _BULLET.match(line)
        if ends and paragraph:
            yield Prose(path, start, plain(" ".join(paragraph)))
            paragraph = []
        in_code ^= is_fence
        if is_fence or in_code or not line.strip():
            continue
        if line.startswith("|"):
            cells = re.split(r"(?<!\\)\|", plain(line.strip().strip("|")))
            yield from (Prose(path, number, part) for cell in cells for part in cell.split(";"))
        elif line.startswith("#"):
            yield Prose(path, number, plain(line.lstrip("# ")))
        else:
            start = start if paragraph else number
            paragraph.append(_BULLET.sub("", line).strip())


def python_prose(path: str, source: str) -> Iterator[Prose]:
    """Yield the texts of a module that users can read: string constants with three words or more, and CLI help."""
    tree = ast.parse(source)
    is_cli = path.startswith("pipeline/cli/")
    docstrings = {
        id(node.body[0].value): isinstance(node, ast.FunctionDef) and bool(node.decorator_list)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    inside = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in ast.walk(node)}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            text = "".join(str(part.value) if isinstance(part, ast.Constant) else "X" for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in inside:
            if id(node) in docstrings and not (is_cli and docstrings[id(node)]):
                continue
            text = node.value
        else:
            continue
        if not _SQL.search(text) and "\\" not in text:
            for part in re.split(r"\n\s*\n|\n(?=\s*[-*|])|;", _TAG.sub(" ", text)):
                if len(_WORD.findall(part)) >= 3 and " " in part.strip():
                    yield Prose(path, node.lineno, plain(" ".join(part.split())))


def comment_prose(path: str, text: str) -> Iterator[Prose]:
    """Yield the comments of a YAML file or Makefile, each line separately."""
    for number, line in enumerate(text.splitlines(), start=1):
        comment = re.search(r"(?:^|\s)##?\s+(.*)$", line)
        if comment:
            yield Prose(path, number, plain(comment[1]))


def all_prose(root: Path = ROOT) -> Iterator[Prose]:
    """Yield every checked text of the repository."""
    for patterns, extract in ((PAGES, markdown_prose), (SOURCES, python_prose), (COMMENTED, comment_prose)):
        for pattern in patterns:
            for path in sorted(root.glob(pattern)):
                yield from extract(str(path.relative_to(root)), path.read_text(encoding="utf-8"))


def findings(root: Path = ROOT) -> list[Finding]:
    """Return all findings of the repository."""
    rules = Rules.load()
    return [finding for prose in all_prose(root) for finding in rules.check(prose)]


def counts(found: list[Finding]) -> dict[str, dict[str, int]]:
    """Count findings by area and rule."""
    counter = Counter((finding.area, finding.rule) for finding in found)
    areas = sorted({area for area, _ in counter})
    return {area: {rule: n for (at, rule), n in sorted(counter.items()) if at == area} for area in areas}


def load_baseline() -> dict[str, dict[str, int]]:
    """Return the permitted counts by area and rule."""
    return yaml.safe_load(BASELINE.read_text(encoding="utf-8")) or {}


def beyond_baseline(found: list[Finding]) -> list[Finding]:
    """Return the findings of every area and rule that exceeds its permitted count."""
    permitted = load_baseline()
    now = counts(found)
    return [
        finding
        for finding in found
        if now[finding.area][finding.rule] > permitted.get(finding.area, {}).get(finding.rule, 0)
    ]


def shrink_baseline(found: list[Finding]) -> None:
    """Lower the permitted counts to the current ones; no count is raised."""
    permitted, now = load_baseline(), counts(found)
    lower = {
        area: {rule: min(n, now.get(area, {}).get(rule, 0)) for rule, n in rules.items()}
        for area, rules in permitted.items()
    }
    remaining = {area: {rule: n for rule, n in rules.items() if n} for area, rules in lower.items()}
    header = BASELINE.read_text(encoding="utf-8").split("\n\n", maxsplit=1)[0]
    tree = {area: rules for area, rules in remaining.items() if rules}
    BASELINE.write_text(f"{header}\n\n{yaml.safe_dump(tree) if tree else ''}", encoding="utf-8")


def main() -> int:
    """Print the findings beyond the baseline and return 1 if there are any."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("paths", nargs="*", help="print every finding below these paths instead")
    parser.add_argument("--shrink", action="store_true", help="lower the baseline to the current counts")
    arguments = parser.parse_args()
    found = findings()
    if arguments.shrink:
        shrink_baseline(found)
    if arguments.paths:
        shown = [finding for finding in found if finding.path.startswith(tuple(arguments.paths))]
    else:
        shown = beyond_baseline(found)
    for finding in shown:
        print(f"{finding.path}:{finding.line}: {finding.rule}: {finding.text}")
    return int(bool(shown))


if __name__ == "__main__":
    sys.exit(main())
