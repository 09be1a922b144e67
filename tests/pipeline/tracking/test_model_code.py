"""The code inside a model imports nothing but itself and the requirements of the model."""

from __future__ import annotations

import ast
import sys
from importlib.metadata import packages_distributions

from pipeline.tracking.flavors import PACKAGE_REQUIREMENTS
from pipeline.tracking.model_code import model_code


def imported_names(text: str) -> set[str]:
    """Return what a module imports at run time, also within functions."""
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            node.body = [ast.Pass()]
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add(str(node.module))
    return names


def test_the_shipped_modules_import_only_themselves_and_the_requirements() -> None:
    code = model_code()
    outside = {name for text in code.files.values() for name in imported_names(text)}
    own = {name for name in outside if name.partition(".")[0] == code.name}
    libraries = {name.partition(".")[0] for name in outside - own} - sys.stdlib_module_names
    distributions = packages_distributions()
    assert {distributions[library][0].lower() for library in libraries} <= set(PACKAGE_REQUIREMENTS)
    assert not {name for name in outside if name.startswith(("pipeline", "stages", "app"))}
    paths = {f"{code.name}.{path.removesuffix('.py').replace('/', '.')}" for path in code.files}
    assert own <= paths | {path.removesuffix(".__init__") for path in paths}


def test_the_code_is_small() -> None:
    files = model_code().files
    assert len([text for text in files.values() if text]) <= 45
    assert sum(map(len, files.values())) < 300_000


def test_the_name_follows_the_content() -> None:
    code = model_code()
    assert code.name.startswith("mlops_model_")
    assert code.module == f"{code.name}.package.logged_classifier"
    assert "class LoggedClassifier" in code.files["package/logged_classifier.py"]
