"""What a failed stage did not write anew comes back from DVC's cache, unless it is damaged there."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

import pytest
import yaml

from pipeline.project.dvc_outputs import cache_object_path, restore_outputs

if TYPE_CHECKING:
    from pathlib import Path


def _keep(root: Path, content: bytes, suffix: str = "") -> str:
    md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
    path = cache_object_path(root, md5 + suffix)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return md5 + suffix


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project whose stage `train` made a file and a folder, both in the cache and neither in the workspace."""
    member = _keep(tmp_path, b"model")
    folder = _keep(tmp_path, json.dumps([{"md5": member, "relpath": "deep/model.bin"}]).encode(), ".dir")
    outs = [{"path": "metrics.json", "md5": _keep(tmp_path, b"{}")}, {"path": "models", "md5": folder}]
    (tmp_path / "dvc.lock").write_text(yaml.safe_dump({"stages": {"train": {"outs": outs}}}), encoding="utf-8")
    declared = {"stages": {"train": {"outs": ["metrics.json", "models"]}}}
    (tmp_path / "dvc.yaml").write_text(yaml.safe_dump(declared), encoding="utf-8")
    return tmp_path


def test_missing_files_and_folders_come_back(project: Path) -> None:
    assert restore_outputs(project, "train") == ["metrics.json", "models"]
    assert (project / "metrics.json").read_bytes() == b"{}"
    assert (project / "models/deep/model.bin").read_bytes() == b"model"


def test_what_the_stage_wrote_before_it_failed_is_left_alone(project: Path) -> None:
    (project / "metrics.json").write_text("new", encoding="utf-8")
    assert restore_outputs(project, "train") == ["models"]
    assert (project / "metrics.json").read_text(encoding="utf-8") == "new"


def test_outputs_of_other_stages_stay_away(project: Path) -> None:
    assert restore_outputs(project, "evaluate") == []


def test_a_damaged_object_stays_away(project: Path) -> None:
    cache_object_path(project, hashlib.md5(b"model", usedforsecurity=False).hexdigest()).write_bytes(b"other")
    assert restore_outputs(project, "train") == ["metrics.json"]
    assert not (project / "models").exists()


def test_nothing_comes_back_where_nothing_was_recorded(tmp_path: Path) -> None:
    assert restore_outputs(tmp_path, "train") == []
