"""Mutated settings are valid, or refused with file and key path; `--proof=long` tries 2,000 mutations."""

from __future__ import annotations

import copy
import json
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.config.composition import compose, flatten_settings
from pipeline.config.config_loader import build_config, load_params
from pipeline.config.root_config import Config
from pipeline.config.strict_yaml import read_yaml
from pipeline.errors import ConfigError
from tests.fixtures.proof import proof_rounds

if TYPE_CHECKING:
    from tests.fixtures.cli import CliRunner

pytestmark = pytest.mark.usefixtures("heavy_computation")

REPOSITORY = Path(__file__).parents[3]
CONF = REPOSITORY / "conf"
SHIPPED: dict[str, Any] = read_yaml(REPOSITORY / "params.yaml")
KEYS = [key for key, _ in flatten_settings(SHIPPED)]
BRANCHES = sorted({key.rpartition(".")[0] for key in KEYS if "." in key})
FILES = sorted(path.relative_to(CONF).as_posix() for path in CONF.rglob("*.yaml"))

_values = (
    st.none()
    | st.booleans()
    | st.integers(-(10**18), 10**18)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(
        ["", "abc", "42", "None", "os.system", "\x00", "${seed}", "${none}", "${oc.env:HOME}", "x" * 20_000, "ключ"]
    )
    | st.lists(st.integers() | st.text(max_size=5), max_size=3)
    | st.dictionaries(st.text(max_size=6), st.integers() | st.text(max_size=3), max_size=3)
)
_words = st.sampled_from(
    ["on", "010", "1e-3", "2026-01-31", ".nan", "&a x", "*a", "!!int x", "[1", "{a: 1", "\t1", "'x", "%", "@", "${seed"]
)
N_ROUNDS = proof_rounds(1, long=8)
_relaxed: dict[str, Any] = {"deadline": None, "suppress_health_check": list(HealthCheck)}


@st.composite
def mutated_trees(draw: st.DrawFn) -> tuple[str, dict[str, Any]]:
    """A composed tree with one key dropped, renamed, retyped or filled with nonsense, and that key."""
    tree = copy.deepcopy(SHIPPED)
    path = draw(st.sampled_from(KEYS + BRANCHES))
    *above, key = path.split(".")
    parent = tree
    for part in above:
        parent = parent[part]
    kind = draw(st.sampled_from(["drop", "rename", "fill", "add"]))
    if kind == "drop":
        del parent[key]
    elif kind == "rename":
        parent[draw(st.text(min_size=1, max_size=8)) + key] = parent.pop(key)
    elif kind == "add":
        added = draw(st.sampled_from(["strange", "_target_", "kind", "()"]))
        parent[added] = draw(_values)
        return (path if above else added), tree
    else:
        parent[key] = draw(_values)
    return path, tree


def _assert_names_place(error: ConfigError, place: str) -> None:
    """Assert that the message matches `place`, is short and has no traceback."""
    message = str(error)
    assert re.search(place, message), message
    assert "Traceback" not in message
    assert len(message) < 20_000


@settings(max_examples=125 * N_ROUNDS, **_relaxed)
@given(mutated=mutated_trees())
def test_a_mutated_tree_is_valid_or_refused_with_its_section(mutated: tuple[str, dict[str, Any]]) -> None:
    path, tree = mutated
    try:
        config = build_config(tree, where="params.yaml")
    except ConfigError as error:
        _assert_names_place(error, "params.yaml: ")
        _assert_names_place(error, re.escape(path.partition(".")[0]))
    else:
        assert isinstance(config, Config)


@st.composite
def mutated_texts(draw: st.DrawFn, texts: dict[str, str]) -> tuple[str, str]:
    """A file of settings with one mutated line, and its name."""
    name = draw(st.sampled_from(sorted(texts)))
    lines = texts[name].splitlines()
    number = draw(st.integers(0, len(lines) - 1))
    line = lines[number]
    kind = draw(st.sampled_from(["drop", "tab", "twice", "word", "indent", "bytes", "cycle"]))
    if kind == "drop":
        del lines[number]
    elif kind == "tab":
        lines[number] = "\t" + line
    elif kind == "twice":
        lines.insert(number, line)
    elif kind == "word":
        lines[number] = f"{line.partition(':')[0]}: {draw(_words)}"
    elif kind == "indent":
        lines[number] = "   " + line
    elif kind == "bytes":
        cut = draw(st.integers(0, len(line)))
        lines[number] = line[:cut] + draw(st.text(max_size=3)) + line[cut:]
    else:
        lines[number] = f"{line.partition(':')[0]}: ${{{line.partition(':')[0].strip() or 'seed'}}}"
    return name, "\n".join(lines) + "\n"


@settings(max_examples=75 * N_ROUNDS, **_relaxed)
@given(mutated=mutated_texts({"params.yaml": (REPOSITORY / "params.yaml").read_text(encoding="utf-8")}))
def test_a_mutated_composed_file_is_valid_or_refused_with_its_place(
    tmp_path_factory: pytest.TempPathFactory, mutated: tuple[str, str]
) -> None:
    path = tmp_path_factory.mktemp("params") / "params.yaml"
    path.write_text(mutated[1], encoding="utf-8", newline="")
    try:
        assert isinstance(load_params(path), Config)
    except ConfigError as error:
        _assert_names_place(error, "params.yaml")


@settings(max_examples=15 * N_ROUNDS, **_relaxed)
@given(mutated=mutated_texts({name: (CONF / name).read_text(encoding="utf-8") for name in FILES}))
def test_a_mutated_file_of_conf_is_valid_or_refused_with_its_place(
    tmp_path_factory: pytest.TempPathFactory, mutated: tuple[str, str]
) -> None:
    name, text = mutated
    conf = tmp_path_factory.mktemp("mutated") / "conf"
    shutil.copytree(CONF, conf)
    (conf / name).write_text(text, encoding="utf-8", newline="")
    try:
        composition = compose(conf=conf)
        assert isinstance(
            build_config(composition.values, where=f"{conf}/config.yaml", origin=composition.origin), Config
        )
    except ConfigError as error:
        _assert_names_place(error, r"\.yaml|^[a-z]+[\w.]*: ")


_overrides = st.builds(
    lambda sign, key, value: f"{sign}{key}={value}",
    st.sampled_from(["", "+", "++", "~"]),
    st.sampled_from([*KEYS, *BRANCHES, "model", "data", "hydra.run.dir", "strange", "data@x", ""]),
    st.sampled_from(
        ["1", "abc", "null", "[1", "{a:1}", "${seed}", "${x}", "'", "random_forest", "1,2", "range(3)", "${oc.env:A}"]
    )
    | st.text(max_size=8),
) | st.text(min_size=1, max_size=12)


@settings(max_examples=35 * N_ROUNDS, **_relaxed)
@given(override=_overrides)
def test_an_odd_override_is_valid_or_refused_by_name(override: str) -> None:
    try:
        composition = compose([override], conf=CONF)
        assert isinstance(build_config(composition.values, where="conf/config.yaml", origin=composition.origin), Config)
    except ConfigError as error:
        _assert_names_place(error, r"\.yaml|[\w.]+: |=")


def test_the_command_checks_many_files_at_once_and_exits_with_3(tmp_path: Path, run_cli: CliRunner) -> None:
    paths, keys = [], KEYS[:: proof_rounds(4, long=1)]
    for number, key in enumerate(keys):
        tree = copy.deepcopy(SHIPPED)
        *above, last = key.split(".")
        parent = tree
        for part in above:
            parent = parent[part]
        parent[last] = {"strange": number}
        paths.append(tmp_path / f"{number:03}.yaml")
        paths[-1].write_text(yaml.safe_dump(tree, allow_unicode=True), encoding="utf-8")
    run = run_cli("config", "check", "--json", *paths, cwd=tmp_path)
    results = json.loads(run.out)
    refused = [result for result in results if not result["ok"]]
    assert (run.exit_code, len(results)) == (3, len(keys))
    accepted = {key for key, result in zip(keys, results, strict=True) if result["ok"]}
    assert all(re.search(r"^model\.estimator\.|\.checks\.|\.example$", key) for key in accepted)
    assert all(re.search(r"\d{3}\.yaml", result["message"]) for result in refused)
