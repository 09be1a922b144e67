"""Rules of the whole repository: one test for each rule, which lists every offender."""

from __future__ import annotations

import ast
import os
import re
import statistics
import subprocess
import sys
from collections import Counter
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import grimp
import pytest
import yaml

if TYPE_CHECKING:
    from collections.abc import Iterable

ROOT = Path(__file__).parents[1]
LIBRARY = sorted((ROOT / "pipeline").rglob("*.py"))
APP = sorted((ROOT / "app").rglob("*.py"))
STAGES = sorted((ROOT / "stages").glob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))
BENCHMARKS = sorted((ROOT / "benchmarks").rglob("*.py"))
EXAMPLES = sorted((ROOT / "examples").rglob("*.py"))
CONF = sorted((ROOT / "conf").rglob("*.yaml"))
SOURCES = [*LIBRARY, *APP, *STAGES]
# Modules whose test has another path, with the reason; the list may only shrink.
UNMIRRORED = ROOT / "tests/unmirrored.txt"

BANNED_NAMES = {
    *("told", "tell", "tells", "telling", "said", "says", "judged", "judge", "handed", "taught", "apart", "story"),
    *("glance", "watched", "slots", "kept", "spoken", "speaks", "moved", "nobody", "somebody", "mend", "mended"),
    *("cries", "stands", "heal", "healed", "door", "doors", "upkeep"),
}
# Each name is a term of Python or of the files that it comes from.
ALLOWED_NAMES = {"__slots__"}


def relative(path: Path) -> str:
    return str(path.relative_to(ROOT))


@cache
def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(text_of(path))


def assert_none(offenders: Iterable[object]) -> None:
    """Fail with one line for each offender."""
    lines = [str(offender) for offender in offenders]
    assert not lines, f"{len(lines)} offenders:\n" + "\n".join(lines)


def functions(path: Path) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    return [node for node in ast.walk(tree_of(path)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]


def n_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Count lines of code: the docstring is left out."""
    first = function.body[0]
    has_docstring = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
    docstring = (first.end_lineno or 0) - first.lineno + 1 if has_docstring else 0
    return (function.end_lineno or 0) - function.lineno + 1 - docstring


def defined_names(path: Path) -> set[tuple[int, str]]:
    """Return each name that a file defines, with its line."""
    names: set[tuple[int, str]] = set()
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Name | ast.Attribute) and not isinstance(node.ctx, ast.Load):
            names.add((node.lineno, node.id if isinstance(node, ast.Name) else node.attr))
        elif isinstance(node, ast.arg):
            names.add((node.lineno, node.arg))
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add((node.lineno, node.name))
    return names


def words_of(name: str) -> set[str]:
    return {word.lower() for word in re.findall(r"[a-z]+|[A-Z][a-z]*", name)}


def test_a_file_has_at_most_400_lines_and_a_stage_60() -> None:
    lengths = {path: len(text_of(path).splitlines()) for path in [*SOURCES, *TESTS, *BENCHMARKS]}
    assert_none(f"{relative(path)}: {n}" for path, n in lengths.items() if n > (60 if path in STAGES else 400))


def test_a_function_has_at_most_40_lines() -> None:
    found = [(path, function) for path in [*SOURCES, *BENCHMARKS, *EXAMPLES] for function in functions(path)]
    assert_none(f"{relative(path)}: {f.name}: {n_lines(f)}" for path, f in found if n_lines(f) > 40)


def test_the_usual_function_is_short() -> None:
    assert statistics.median(n_lines(f) for path in LIBRARY for f in functions(path)) < 12


def test_a_module_states_what_it_offers() -> None:
    def offers(path: Path) -> bool:
        body = tree_of(path).body
        names = {t.id for n in body if isinstance(n, ast.Assign) for t in n.targets if isinstance(t, ast.Name)}
        return path.name in {"__main__.py", "__init__.py"} or "__all__" in names

    modules = [path for path in [*LIBRARY, *APP] if text_of(path)]
    assert_none(relative(path) for path in modules if not ast.get_docstring(tree_of(path)) or not offers(path))


def test_no_module_is_a_drawer_for_everything() -> None:
    drawers = {"utils", "util", "common", "helpers", "misc"}
    assert_none(relative(path) for path in SOURCES if path.stem in drawers)


def test_no_two_modules_share_a_name() -> None:
    modules = [path for path in [*SOURCES, *BENCHMARKS] if not path.stem.startswith("__")]
    # A command of real tables, and the tables of the database: in both places the field has no other word.
    stems = Counter(path.stem for path in modules if path != ROOT / "benchmarks/tables.py")
    assert_none(sorted(relative(path) for path in modules if stems[path.stem] > 1))


def test_no_two_public_classes_share_a_name() -> None:
    found = [
        (node.name, relative(path))
        for path in SOURCES
        for node in tree_of(path).body
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
    ]
    times = Counter(name for name, _ in found)
    assert_none(sorted((name, path) for name, path in found if times[name] > 1))


def test_no_name_is_of_a_private_dialect() -> None:
    offenders = [
        f"{relative(path)}:{line}: {name}"
        for path in [*SOURCES, *BENCHMARKS, *TESTS]
        for line, name in sorted(defined_names(path))
        if name not in ALLOWED_NAMES and words_of(name) & BANNED_NAMES
    ]
    assert_none(offenders)


def test_no_code_knows_a_column_of_a_problem() -> None:
    declared = yaml.safe_load((ROOT / "conf/data/personality.yaml").read_text(encoding="utf-8"))
    words = {*declared["columns"], declared["target"]["column"], *declared["target"]["classes"]}
    assert_none(f"{relative(path)}: {word}" for path in SOURCES for word in words if word in text_of(path))


def test_only_the_project_package_knows_where_state_is() -> None:
    others = [path for path in SOURCES if "project" not in path.parts]
    assert_none(relative(path) for path in others if re.search(r"""["']state/""", text_of(path)))


def test_a_settings_file_opens_with_the_question_that_it_answers() -> None:
    def opens_with_question(path: Path) -> bool:
        return any("?" in line for line in text_of(path).splitlines()[:3] if line.startswith("# "))

    assert_none(relative(path) for path in CONF if not opens_with_question(path))


def test_a_settings_file_has_at_most_60_lines() -> None:
    # The numbers of a generator are a table; folding would not make it easier to read.
    files = [path for path in CONF if path.parent.name != "profile"]
    assert_none(relative(path) for path in files if len(text_of(path).splitlines()) > 60)


def test_imports_follow_the_layers(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    from importlinter.cli import lint_imports

    monkeypatch.chdir(ROOT)
    assert lint_imports(no_cache=True) == 0, capsys.readouterr().out


def test_no_modules_import_each_other_in_a_circle() -> None:
    """Imports for types and imports inside of functions count as well."""
    graph = grimp.build_graph("pipeline", "stages", "app")
    imports = {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}
    assert_none(circles(imports))


def circles(imports: dict[str, set[str]]) -> list[list[str]]:
    """Return the groups of modules of which each reaches every other."""
    reached: dict[str, set[str]] = {}
    for module, direct in imports.items():
        seen: set[str] = set()
        queue = list(direct)
        while queue:
            imported = queue.pop()
            if imported not in seen:
                seen.add(imported)
                queue += imports[imported]
        reached[module] = seen
    groups = {
        tuple(sorted(other for other in seen if module in reached[other]))
        for module, seen in reached.items()
        if module in seen
    }
    return sorted(list(group) for group in groups)


def test_a_circle_is_found() -> None:
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": {"a"}}) == [["b", "c"]]


@pytest.mark.usefixtures("starts_processes")
def test_a_light_import_brings_no_heavy_package() -> None:
    heavy = {
        *("pandas", "numpy", "scipy", "sklearn", "onnxruntime", "pandera", "matplotlib"),
        *("sqlalchemy", "mlflow", "hydra", "dvc"),
    }
    code = f"import sys, pipeline, pipeline.cli; print(sorted({heavy} & set(sys.modules)))"
    process = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert process.stdout.strip() == "[]"


# These packages change no result by themselves; runs are only projected to MLflow, pages only listed in an index.
_FOUNDATION = (
    "pipeline.errors",
    "pipeline.files",
    "pipeline.lookup",
    "pipeline.project",
    "pipeline.config",
    "pipeline.storage",
    "pipeline.engines",
    "pipeline.tracing",
)
_PROJECTION = ("pipeline.tracking", "pipeline.sweeps", "pipeline.evaluation.plots", "pipeline.report_index")


@pytest.mark.parametrize("stage", ["ingest", "validate", "split", "train", "evaluate"])
def test_dvc_knows_the_code_that_a_stage_runs(stage: str) -> None:
    graph = grimp.build_graph("pipeline", "stages", exclude_type_checking_imports=True)
    for module in [module for module in graph.modules if module.startswith(_PROJECTION)]:
        graph.remove_module(module)
    used = {
        module.replace(".", "/")
        for module in graph.find_upstream_modules(f"stages.{stage}")
        if module != "pipeline" and not module.startswith(_FOUNDATION)
    }
    deps = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"][stage]["deps"]
    known = tuple(dep.removesuffix(".py") for dep in deps)
    inside = tuple(f"{dep}/" for dep in known)
    packages = {str(parent) for dep in known for parent in Path(dep).parents}
    assert_none(sorted(path for path in used - {*known, *packages} if not path.startswith(inside)))


def test_only_one_module_of_the_app_caches() -> None:
    assert [relative(path) for path in APP if "st.cache_" in text_of(path)] == ["app/queries.py"]


def test_each_module_has_its_test_at_the_same_path_or_is_listed() -> None:
    modules = [path for path in SOURCES if not path.stem.startswith("__")]
    missing = {
        relative(path)
        for path in modules
        if not (ROOT / "tests" / path.relative_to(ROOT).with_name(f"test_{path.name}")).exists()
    }
    listed = set(text_of(UNMIRRORED).splitlines())
    assert_none([f"write a test: {path}" for path in sorted(missing - listed)])
    assert_none([f"take from the list: {path}" for path in sorted(listed - missing)])


class FixtureDefinition(NamedTuple):
    """A fixture, the fixtures that it asks for, and the file or folder whose tests see it."""

    name: str
    is_shared: bool  # one value for all tests of the area
    requested: tuple[str, ...]
    area: Path
    file: Path


def fixture_definitions(path: Path) -> list[FixtureDefinition]:
    area = ROOT / "tests" if path.parent.name == "fixtures" else path.parent if path.stem == "conftest" else path
    found = []
    for function in functions(path):
        decorators = " ".join(map(ast.unparse, function.decorator_list))
        if "pytest.fixture" in decorators:
            requested = tuple(argument.arg for argument in function.args.args)
            found.append(FixtureDefinition(function.name, "scope='session'" in decorators, requested, area, path))
    return found


def test_what_a_session_fixture_asks_for_has_one_definition() -> None:
    """With several definitions, the first test that asks would choose the one that all tests get."""
    definitions = [each for path in TESTS for each in fixture_definitions(path)]
    shared = [each for each in definitions if each.is_shared]
    assert shared
    assert_none(
        f"{relative(each.file)}: {each.name} asks for {other.name}; rename that of {relative(other.file)}"
        for each in shared
        for other in definitions
        if other.name in each.requested and each.area in other.area.parents
    )


def test_there_are_six_lines_of_tests_for_ten_of_sources() -> None:
    def total(paths: list[Path]) -> int:
        return sum(len(text_of(path).splitlines()) for path in paths)

    assert total(TESTS) / total(SOURCES) >= 0.6


@pytest.mark.xdist_group("together")
def test_groups_of_tests_stay_together(request: pytest.FixtureRequest) -> None:
    """Without notice, pytest 9.2 and xdist 3.8 start what a group shares in every worker."""
    if "PYTEST_XDIST_WORKER" not in os.environ:
        pytest.skip("one process runs all tests")
    assert request.node.nodeid.endswith("@together")
