"""The pages have one form, and what they name exists: links, files, settings, commands, metrics, layers."""

from __future__ import annotations

import functools
import json
import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer.main
import yaml

from pipeline import state as store
from pipeline.cli.root_command import app
from pipeline.expressions.operations import FUNCTIONS
from tests import prose

if TYPE_CHECKING:
    from collections.abc import Iterator

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
FILE_ENDINGS = (".py", ".md", ".yaml", ".onnx", ".skops")
MADE_LATER = {"conf/data/rentals.yaml", "conf/data/churn.yaml", "deploy/docker/.env", "deploy/docker/viewer.key"}
GROUPS = "features|model|training|evaluation|validation|tracking|promotion|monitoring|drift|alerts|serving|lifecycle"
# Entries that only some choices of a group have.
OPTIONAL_SETTINGS = {"model.estimator.max_iter", "features.derived"}
METRIC_PAGES = ("serving", "streams")
TABLES = {"mlops_schema"}
ACCOUNTS = {f"mlops_{account}" for account in store.ACCOUNTS}
# Distributions of tools that the page of compatibility calls by another name.
TOOLS = {
    "KServe SDK": "kserve",
    "Great Expectations": "great-expectations",
    "Hydra": "hydra-core",
    "Redocly": "@redocly/cli",
    "Spectral": "@stoplight/spectral-cli",
    "openapi-generator": "openapi-generator-cli",
}
SWEEP_FUNCTIONS = {"interval", "range", "choice", "tag"}


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


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


def test_terms_and_decisions_are_listed_in_order() -> None:
    glossary = (ROOT / "docs/glossary.md").read_text(encoding="utf-8")
    terms = re.findall(r"^\| (?!term |---)([^|]+?) \|", glossary, re.MULTILINE)
    assert terms == sorted(terms, key=str.lower)
    index = (ROOT / "docs/decisions/README.md").read_text(encoding="utf-8")
    table, _, end = index.partition("\n\n[Glossary](../glossary.md)\n")
    numbers = [int(number) for number in re.findall(r"^\| \[(\d+)\]", table, re.MULTILINE)]
    assert (numbers, end) == (list(range(1, len(DECISIONS) + 1)), "")


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


def test_versions_that_the_page_of_compatibility_names_are_locked() -> None:
    page = (ROOT / "docs/reference/compatibility.md").read_text(encoding="utf-8")
    tools = " ".join(line.split("|")[1] for line in page.splitlines() if line.startswith("| "))
    named = re.findall(r"([A-Za-z][\w-]*(?: SDK| Expectations)?) (\d[\d.]*)", tools)
    locked = locked_versions()
    wrong = [
        f"{tool} {version}: {locked[TOOLS.get(tool, tool.lower())]} is locked"
        for tool, version in named
        if tool not in ("Prometheus", "promtool", "Python", "and")  # from Debian, and the interpreter
        and not f"{locked[TOOLS.get(tool, tool.lower())]}.".startswith(f"{version}.")
    ]
    assert wrong == []


def locked_versions() -> dict[str, str]:
    # Clients have older versions of some packages, so the engine's own come last.
    locks = [*sorted((ROOT / "requirements/clients").glob("*.lock")), ROOT / "requirements/dev.lock"]
    pins = "\n".join(path.read_text(encoding="utf-8") for path in locks)
    npm = json.loads((ROOT / "tests/clients/npm/package.json").read_text(encoding="utf-8"))["dependencies"]
    return {**npm, **dict(re.findall(r"^([\w.-]+)==(\S+)", pins, re.MULTILINE))}


def test_overrides_of_groups_end_the_defaults_of_an_example() -> None:
    """Hydra refuses them elsewhere."""
    wrong = []
    for path in DOCUMENTS:
        for defaults in re.findall(r"^defaults:\n((?:  - .*\n)+)", path.read_text(encoding="utf-8"), re.MULTILINE):
            is_override = [line.startswith("  - override ") for line in defaults.splitlines()]
            wrong += [] if is_override == sorted(is_override) else [name(path)]
    assert wrong == []


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


def test_the_pictures_of_the_layers_are_those_of_the_import_contract() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]
    (layers,) = (
        contract["layers"] for contract in contracts["contracts"] if contract.get("containers") == ["pipeline"]
    )
    for page in ("docs/explanation/architecture.md", "CONTRIBUTING.md"):
        drawn = re.findall(r"^ │ (.+?)  ", (ROOT / page).read_text(encoding="utf-8"), re.MULTILINE)
        assert drawn == [" ".join(layer.split()) for layer in layers]


def flat(tree: object, above: str = "") -> Iterator[str]:
    """Yield the dotted key of every section and value."""
    if isinstance(tree, dict):
        for key, value in tree.items():
            yield f"{above}{key}"
            yield from flat(value, f"{above}{key}.")


def test_settings_that_the_pages_name_exist() -> None:
    settings = set(flat(yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8")))) | OPTIONAL_SETTINGS
    missing = []
    for path in DOCUMENTS:
        named = re.findall(rf"`((?:{GROUPS})\.[a-z_.]+[a-z_])(?:[=:][^`]*)?`", path.read_text(encoding="utf-8"))
        missing += [f"{name(path)}: {key}" for key in named if key not in settings and not key.endswith(FILE_ENDINGS)]
    assert missing == []


def test_metrics_that_the_pages_name_are_in_the_table_of_metrics() -> None:
    tables = "".join((ROOT / f"docs/reference/{page}.md").read_text(encoding="utf-8") for page in METRIC_PAGES)
    exposed = set(re.findall(r"^\| `(mlops_\w+)` \| (?:gauge|counter|histogram) ", tables, re.MULTILINE))
    named = {metric for path in DOCUMENTS for metric in re.findall(r"`(mlops_\w+)`", path.read_text(encoding="utf-8"))}
    assert sorted(named - exposed - TABLES - ACCOUNTS) == []


def test_commands_and_options_that_the_pages_name_exist() -> None:
    wrong = []
    for path in DOCUMENTS:
        text = path.read_text(encoding="utf-8")
        blocks = re.findall(r"^```(?:bash|sh)\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
        lines = [line for block in blocks for line in block.replace("\\\n", " ").splitlines()]
        commands = [*lines, *re.findall(r"`(mlops [^`]+)`", text)]
        wrong += [f"{name(path)}: {line}" for line in commands if line.startswith("mlops ") and not is_known(line)]
    assert wrong == []


@functools.cache
def mlops_command() -> Any:
    return typer.main.get_command(app)


def is_known(line: str) -> bool:
    """Return whether our program has the command of a line, and the options that stand before an ellipsis."""
    words = re.split(r"\s+#|\.\.\.|\|", line)[0].split()[1:]
    command = mlops_command()
    while words and hasattr(command, "commands") and not words[0].startswith("-"):
        if words[0] not in command.commands:
            return False
        command = command.commands[words.pop(0)]
    options = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
    return {word for word in words if re.match(r"--?[a-z]", word)} <= {*options, "--help", "--version"}


def test_functions_and_attributes_that_the_pages_name_exist() -> None:
    sources = "\n".join(path.read_text(encoding="utf-8") for path in sorted((ROOT / "pipeline").rglob("*.py")))
    defined = (
        set(re.findall(r"(?:^ *def |^    )(\w+)(?=[(:])", sources, re.MULTILINE)) | SWEEP_FUNCTIONS | set(FUNCTIONS)
    )
    missing = []
    for path in DOCUMENTS:
        text = path.read_text(encoding="utf-8")
        blocks = re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
        code = ["\n".join(line for line in block.splitlines() if not line.startswith("from ")) for block in blocks]
        named = [attribute for block in code for attribute in re.findall(r"(?<!\bnp)\.([a-z_]+)", block)]
        named += re.findall(r"`(?:\w+\.)*([a-z_]+)\(", text)
        missing += [f"{name(path)}: {attribute}" for attribute in named if attribute not in defined]
    assert missing == []


def test_labels_of_the_app_that_its_page_names_are_in_the_app() -> None:
    labels = re.findall(r"\*\*([^*]+)\*\*", (ROOT / "docs/reference/app.md").read_text(encoding="utf-8"))
    app_source = "".join(path.read_text(encoding="utf-8") for path in sorted((ROOT / "app").rglob("*.py")))
    assert [label for label in labels if label.replace("\n", " ") not in app_source] == []
