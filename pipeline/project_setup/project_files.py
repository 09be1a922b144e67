"""Render the files of a new project, and the files of it that follow the engine."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.config.conf_sources import ENGINE_ENTRY
from pipeline.config.default_settings import engine_defaults
from pipeline.files import canonical_json
from pipeline.project import paths
from pipeline.project.engine_files import stage_module
from pipeline.project.stage_digests import DISTRIBUTION, code_digests, digest_path, engine_version
from pipeline.project_setup.project_graph import graph_values, render_graph

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["REQUIREMENTS", "config_text", "engine_record_files", "initial_files", "pin_engine"]

REQUIREMENTS = Path("requirements.txt")
# A declaration of the engine, whose rows are generated.
_EXAMPLE_DATA = "personality"
_TEMPLATES = Path(__file__).with_name("templates")
# Names of templates begin with no dot, so that no tool takes them for its own settings.
_TEMPLATE_NAMES = {
    ".dvc/.gitignore": "dvc_gitignore",
    ".dvc/config": "dvc_config",
    ".dvcignore": "dvcignore",
    ".github/workflows/pipeline.yml": "pipeline.yml",
    ".gitignore": "gitignore",
    "Makefile": "Makefile",
    "README.md": "readme.md",
    "extensions/README.md": "extensions_readme.md",
    "requirements.txt": "requirements.txt",
}
# Installers take `-`, `_`, `.` and both cases for the same in a name.
_PIN = re.compile(rf"(?mi)^(\s*{DISTRIBUTION.replace('-', '[-_.]+')}\s*(?:\[[^\]]*\])?\s*==\s*)[^\s;#,\\]+")


def initial_files(name: str) -> dict[str, str]:
    """Return the text of each file of a new project, by its path."""
    words = {
        "@NAME@": name,
        "@DISTRIBUTION@": DISTRIBUTION,
        "@VERSION@": engine_version(),
        "@MONITOR@": stage_module("monitor"),
    }
    rendered = {path: _render(template, words) for path, template in _TEMPLATE_NAMES.items()}
    return {
        **rendered,
        **engine_record_files(),
        f"{paths.CONF}/config.yaml": config_text(_EXAMPLE_DATA),
        f"{paths.EXTERNAL.as_posix()}/.gitkeep": "",
        paths.GRAPH.as_posix(): render_graph(),
    }


def _render(template: str, words: Mapping[str, str]) -> str:
    text = (_TEMPLATES / template).read_text(encoding="utf-8")
    for placeholder, value in words.items():
        text = text.replace(placeholder, value)
    return text


def config_text(data: str) -> str:
    """Return conf/config.yaml of a new project, with the declaration `data` and the engine's default model."""
    model = engine_defaults()["choices"]["model"]
    return _render("config.yaml", {"@DATA@": data, "@MODEL@": model, "@ENGINE@": ENGINE_ENTRY})


def engine_record_files() -> dict[str, str]:
    """Return the files that record the engine of a project: a digest for each stage, then version and defaults."""
    digests = {digest_path(stage).as_posix(): f"{digest}\n" for stage, digest in code_digests().items()}
    record = {"version": engine_version(), "defaults": engine_defaults(), "graph": graph_values()}
    return {**digests, paths.ENGINE_RECORD.as_posix(): canonical_json(record)}


def pin_engine(requirements: str) -> str | None:
    """Return the text of requirements.txt with the version of this engine; None where no line pins the engine."""
    text, n_pins = _PIN.subn(rf"\g<1>{engine_version()}", requirements)
    return text if n_pins else None
