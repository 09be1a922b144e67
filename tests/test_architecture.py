"""What holds for every file: size, words, and who may import whom."""

from __future__ import annotations

import ast
import os
import statistics
import subprocess
import sys
from pathlib import Path

import grimp
import pytest
import yaml

ROOT = Path(__file__).parents[1]
LIBRARY = sorted((ROOT / "pipeline").rglob("*.py"))
APP = sorted((ROOT / "app").rglob("*.py"))
STAGES = sorted((ROOT / "stages").glob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))
BENCHMARKS = sorted((ROOT / "benchmarks").glob("*.py"))
CONF = sorted((ROOT / "conf").rglob("*.yaml"))


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def functions(path: Path) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]


def n_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Count lines of code: the docstring, which only helps, is left out."""
    first = function.body[0]
    has_docstring = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
    docstring = (first.end_lineno or 0) - first.lineno + 1 if has_docstring else 0
    return (function.end_lineno or 0) - function.lineno + 1 - docstring


@pytest.mark.parametrize("path", [*LIBRARY, *APP, *STAGES, *TESTS, *BENCHMARKS], ids=name)
def test_a_file_fits_on_a_few_screens(path: Path) -> None:
    limit = 60 if path in STAGES else 400
    assert len(path.read_text(encoding="utf-8").splitlines()) <= limit


@pytest.mark.parametrize("path", [*LIBRARY, *APP, *STAGES, *BENCHMARKS], ids=name)
def test_a_function_fits_on_one_screen(path: Path) -> None:
    assert [f"{f.name}: {n_lines(f)}" for f in functions(path) if n_lines(f) > 40] == []


def test_the_usual_function_is_short() -> None:
    assert statistics.median(n_lines(f) for path in LIBRARY for f in functions(path)) < 12


@pytest.mark.parametrize("path", [*LIBRARY, *APP], ids=name)
def test_a_module_says_what_it_offers(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    docstring = ast.get_docstring(tree) or ""
    assert docstring.splitlines()[:1] != []
    assigned = {t.id for n in tree.body if isinstance(n, ast.Assign) for t in n.targets if isinstance(t, ast.Name)}
    assert path.name in {"__main__.py", "__init__.py"} or "__all__" in assigned


@pytest.mark.parametrize("path", [*LIBRARY, *APP, *STAGES], ids=name)
def test_no_module_is_a_drawer_for_everything(path: Path) -> None:
    assert path.stem not in {"utils", "util", "common", "helpers", "misc"}


@pytest.mark.parametrize("path", [*LIBRARY, *APP, *STAGES], ids=name)
def test_no_code_knows_a_column_of_a_problem(path: Path) -> None:
    declared = yaml.safe_load((ROOT / "conf/data/personality.yaml").read_text(encoding="utf-8"))
    words = {*declared["columns"], declared["target"]["column"], *declared["target"]["classes"]}
    text = path.read_text(encoding="utf-8")
    assert [word for word in words if word in text] == []


@pytest.mark.parametrize("path", CONF, ids=name)
def test_a_settings_file_opens_with_the_question_that_it_answers(path: Path) -> None:
    comments = [line for line in path.read_text(encoding="utf-8").splitlines()[:3] if line.startswith("# ")]
    assert any("?" in comment for comment in comments)


# The figures of a generator are a table, which folding would not make easier to read.
@pytest.mark.parametrize("path", [p for p in CONF if p.parent.name != "profile"], ids=name)
def test_a_settings_file_fits_on_one_screen(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 60


def test_imports_follow_the_rungs_and_the_doors() -> None:
    command = [str(Path(sys.executable).with_name("lint-imports"))]
    answer = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stdout


def test_a_light_import_brings_no_heavy_package() -> None:
    heavy = "{'pandas', 'sklearn', 'mlflow', 'pandera', 'scipy', 'matplotlib', 'hydra', 'dvc', 'onnxruntime'}"
    code = f"import sys, pipeline, pipeline.cli; print(sorted({heavy} & set(sys.modules)))"
    answer = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"


# What every stage rests on changes no result by itself, and runs are only projected to MLflow.
_BENEATH = (
    "pipeline.errors",
    "pipeline.files",
    "pipeline.lookup",
    "pipeline.project.dvc_outputs",
    "pipeline.project.paths",
    "pipeline.config",
    "pipeline.tracing",
)
_PROJECTION = ("pipeline.tracking", "pipeline.sweeps", "pipeline.evaluation.plots")


@pytest.mark.parametrize("stage", ["ingest", "validate", "split", "train", "evaluate"])
def test_dvc_knows_the_code_that_a_stage_runs(stage: str) -> None:
    graph = grimp.build_graph("pipeline", "stages", exclude_type_checking_imports=True)
    for module in [one for one in graph.modules if one.startswith(_PROJECTION)]:
        graph.remove_module(module)
    used = {
        one.replace(".", "/")
        for one in graph.find_upstream_modules(f"stages.{stage}")
        if one != "pipeline" and not one.startswith(_BENEATH)
    }
    deps = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"][stage]["deps"]
    known = tuple(dep.removesuffix(".py") for dep in deps)
    inside = tuple(f"{dep}/" for dep in known)
    packages = {str(parent) for dep in known for parent in Path(dep).parents}
    assert sorted(one for one in used - {*known, *packages} if not one.startswith(inside)) == []


def test_only_one_module_of_the_app_caches() -> None:
    caching = [name(path) for path in APP if "st.cache_" in path.read_text(encoding="utf-8")]
    assert caching == ["app/queries.py"]


@pytest.mark.xdist_group("together")
def test_groups_of_tests_stay_together(request: pytest.FixtureRequest) -> None:
    """Without a word, pytest 9.2 and xdist 3.8 start what a group shares in every worker."""
    if "PYTEST_XDIST_WORKER" not in os.environ:
        pytest.skip("one process runs all tests")
    assert request.node.nodeid.endswith("@together")
