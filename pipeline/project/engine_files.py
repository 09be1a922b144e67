"""Locate what the engine ships beside the library: stages, app and default configuration.

A checkout has `stages/`, `app/` and `conf/` beside `pipeline/`. The wheel has them inside of `pipeline`, so that it
installs one import name.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import ModuleType

__all__ = [
    "app_folder",
    "engine_conf",
    "engine_graph",
    "import_app_module",
    "is_installed",
    "stage_command",
    "stage_module",
    "stages_folder",
]

_LIBRARY = Path(__file__).resolve().parents[1]
_INSTALLED_STAGES = _LIBRARY / "stages"


def is_installed() -> bool:
    """Whether the engine runs from a wheel, not from a checkout."""
    return _INSTALLED_STAGES.is_dir()


def stage_module(name: str) -> str:
    """Return the module of a stage for `python -m`: `stages.NAME`, or `pipeline.stages.NAME` of the wheel."""
    return f"pipeline.stages.{name}" if is_installed() else f"stages.{name}"


def stage_command(name: str) -> str:
    """Return the command that a user types for a stage, such as `python -m stages.train`."""
    return f"python -m {stage_module(name)}"


def engine_conf() -> Path:
    """Return the folder with the configuration that the engine ships."""
    return _shipped_folder("conf")


def engine_graph() -> Path:
    """Return the file with the stages of the engine: `dvc.yaml` of the checkout, `pipeline/graph.yaml` of the wheel.

    DVC would read a `dvc.yaml` in a virtual environment below a project, so the wheel has another name.
    """
    return _LIBRARY / "graph.yaml" if is_installed() else _LIBRARY.parent / "dvc.yaml"


def stages_folder() -> Path:
    """Return the folder with one module for each stage."""
    return _shipped_folder("stages")


def app_folder() -> Path:
    """Return the folder of the Streamlit app."""
    return _shipped_folder("app")


def import_app_module(name: str) -> ModuleType:
    """Import a module of the app: `app.NAME`, or `pipeline.app.NAME` of the wheel."""
    return import_module(f"pipeline.app.{name}" if is_installed() else f"app.{name}")


def _shipped_folder(name: str) -> Path:
    return (_LIBRARY if is_installed() else _LIBRARY.parent) / name
