"""Extensions are modules of the project or distributions of one version; a wrong one is refused in words."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING

import pytest

from pipeline.errors import ConfigError, DependencyUnavailable
from pipeline.extensions import estimator_packages, load_extensions, loaded_extensions, resolve_extension
from pipeline.files import sha256
from pipeline.metrics import METRICS

if TYPE_CHECKING:
    from pathlib import Path

MODULE = """
from pipeline.metrics import define_row_metric

@define_row_metric("team_cost", unit="EUR", higher_is_better=False)
def team_cost(probabilities, predicted):
    return probabilities
"""

pytestmark = pytest.mark.usefixtures("extension_tables")


def write_module(root: Path, text: str, name: str = "cost") -> None:
    (root / "extensions").mkdir(exist_ok=True)
    (root / "extensions" / f"{name}.py").write_text(text, encoding="utf-8")


def test_a_module_of_the_project_registers_its_parts_once(tmp_path: Path) -> None:
    write_module(tmp_path, MODULE)
    first = load_extensions(["extensions.cost"], root=tmp_path)
    second = load_extensions(["extensions.cost"], root=tmp_path)
    assert METRICS["team_cost"].unit == "EUR"
    assert first == second == loaded_extensions()
    assert (first[0].sha256, estimator_packages()) == (sha256(MODULE.encode()), ("extensions",))


def test_a_distribution_is_resolved_by_its_exact_version() -> None:
    extension = resolve_extension(f"pluggy=={version('pluggy')}", root=None)  # type: ignore[arg-type]
    assert (extension.modules, extension.packages, extension.sha256) == ((), ("pluggy",), None)


@pytest.mark.parametrize(
    ("declaration", "message"),
    [
        ("extensions.absent", "the project has no file extensions/absent.py"),
        ("os", "'os' is not valid; expected a module of the project"),
        ("extensions.../os", "is not valid"),
        ("extensions", "is not valid"),
        ("pluggy", "is not valid"),
        ("pluggy>=1", "is not valid"),
        ("../extensions.cost", "is not valid"),
    ],
)
def test_a_wrong_declaration_is_refused(tmp_path: Path, declaration: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load_extensions([declaration], root=tmp_path)


@pytest.mark.parametrize(
    ("declaration", "message"),
    [
        ("pluggy==0.0.1", r"pluggy is installed in version .*, and 0\.0\.1 is declared; run `pip install"),
        ("no-such-extension==1", "no-such-extension is not installed; run `pip install 'no-such-extension==1'`"),
    ],
)
def test_another_version_is_refused_with_the_command(tmp_path: Path, declaration: str, message: str) -> None:
    with pytest.raises(DependencyUnavailable, match=message):
        load_extensions([declaration], root=tmp_path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("import no_such_module_of_a_team", "ModuleNotFoundError: No module named 'no_such_module_of_a_team'"),
        ("def broken(:", "SyntaxError"),
        ("raise SystemExit(3)", "SystemExit: 3"),
        ("1 / 0", "ZeroDivisionError: division by zero"),
        (MODULE.replace("team_cost", "log_loss"), "metric log_loss: exists already; choose another name"),
    ],
)
def test_a_failed_import_names_module_error_and_key(tmp_path: Path, text: str, message: str) -> None:
    write_module(tmp_path, text, name="broken")
    with pytest.raises(
        ConfigError, match=r"extensions: extensions\.broken: the import of extensions\.broken failed"
    ) as e:
        load_extensions(["extensions.broken"], root=tmp_path)
    assert message in str(e.value)
    assert "remove the entry from `extensions` in conf/config.yaml" in str(e.value)


def test_a_module_that_changed_is_not_mixed_with_the_imported_one(tmp_path: Path) -> None:
    write_module(tmp_path, MODULE)
    load_extensions(["extensions.cost"], root=tmp_path)
    write_module(tmp_path, MODULE.replace("EUR", "USD"))
    with pytest.raises(ConfigError, match="has changed since this process imported it; start the process again"):
        load_extensions(["extensions.cost"], root=tmp_path)


def test_a_copy_of_the_project_has_its_own_modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copy = tmp_path / ".mlops" / "retrain" / "1"
    copy.mkdir(parents=True)
    (copy / "dvc.yaml").touch()
    write_module(tmp_path, MODULE.replace("EUR", "USD"))
    write_module(copy, MODULE)
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    monkeypatch.chdir(copy)
    (extension,) = load_extensions(["extensions.cost"])
    assert (METRICS["team_cost"].unit, extension.sha256) == ("EUR", sha256(MODULE.encode()))
