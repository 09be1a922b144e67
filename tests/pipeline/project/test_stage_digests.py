"""Digests of the code of stages: what changes them, and what a project says about other ones."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from pipeline.errors import Conflict, IntegrityError
from pipeline.project import paths, stage_digests
from pipeline.project.stage_digests import (
    check_engine,
    code_digests,
    digest_path,
    engine_mismatch,
    engine_stages,
    engine_version,
    is_engine_source,
    read_engine_record,
)

if TYPE_CHECKING:
    from pathlib import Path


def record_engine(root: Path, *, version: str | None = None) -> Path:
    """Write the record and the digests of the running engine, as a project has them."""
    for stage, digest in code_digests().items():
        path = root / digest_path(stage)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{digest}\n")
    record = {"version": version or engine_version(), "defaults": {"options": {}}, "graph": {"stages": {}}}
    (root / paths.ENGINE_RECORD).write_text(json.dumps(record))
    return root


def test_every_stage_of_the_graph_has_its_own_digest() -> None:
    digests = code_digests()
    assert list(digests) == list(engine_stages())
    assert len(set(digests.values())) == len(digests)


def test_results_and_own_data_are_no_source() -> None:
    dependencies = [dep for block in engine_stages().values() for dep in block["deps"]]
    others = {dep for dep in dependencies if not is_engine_source(dep)}
    assert others == {
        *("data/external", "data/raw.parquet", "data/valid.parquet", "data/train.parquet", "data/test.parquet"),
        *("data/source.json", "models/candidate", "reports/evaluation.json", "reports/validation.json", "extensions"),
    }


@pytest.mark.parametrize(
    ("name", "changes"),
    [("pipeline/a.py", True), ("pipeline/sub/b.json", True), ("pipeline/sub/b.pyc", False), ("pipeline/.a.tmp", False)],
)
def test_a_digest_follows_code_and_data_files_and_ignores_leftovers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, changes: bool
) -> None:
    library = tmp_path / "pipeline"
    (library / "sub").mkdir(parents=True)
    (library / "a.py").write_text("A = 1")
    (library / "sub" / "b.json").write_text("{}")
    monkeypatch.setattr(stage_digests, "_LIBRARY", library)
    before = stage_digests._digest(["pipeline/a.py", "pipeline/sub", "pipeline"])
    stage_digests._file_digest.cache_clear()
    (tmp_path / name).write_text("B = 2")
    assert (stage_digests._digest(["pipeline/a.py", "pipeline/sub", "pipeline"]) != before) is changes
    stage_digests._file_digest.cache_clear()


def test_the_project_s_own_configuration_does_not_change_the_digest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "svm.yaml").write_text("name: svm")
    monkeypatch.setattr(stage_digests, "engine_conf", lambda: tmp_path)
    before = stage_digests._digest(["conf"])
    (tmp_path / "config.yaml").write_text("seed: 7")
    assert stage_digests._digest(["conf"]) == before


def test_a_checkout_has_no_record_and_is_never_refused(tmp_path: Path) -> None:
    assert read_engine_record(tmp_path) is None
    check_engine(tmp_path)


def test_a_project_with_the_installed_code_is_accepted(tmp_path: Path) -> None:
    check_engine(record_engine(tmp_path, version="0.0.1"))


@pytest.mark.parametrize("content", [None, "", "sha256:0\n"])
def test_a_stage_with_other_code_is_named_with_both_versions_and_the_command(
    tmp_path: Path, content: str | None
) -> None:
    record_engine(tmp_path, version="0.0.1")
    for stage in ("train", "evaluate"):
        path = tmp_path / digest_path(stage)
        path.unlink() if content is None else path.write_text(content)
    with pytest.raises(
        Conflict,
        match=rf"installed engine {engine_version()} differs from the project's 0\.0\.1 in stages train, evaluate;"
        r" run `mlops upgrade`",
    ):
        check_engine(tmp_path)
    mismatch = engine_mismatch(tmp_path)
    assert mismatch is not None
    assert mismatch.as_dict()["stages"] == ("train", "evaluate")


@pytest.mark.parametrize("content", ["", "{", "[]", '{"version": "1"}', '{"version": "1", "defaults": null}'])
def test_a_damaged_record_is_refused_with_the_way_out(tmp_path: Path, content: str) -> None:
    (tmp_path / paths.ENGINE).mkdir()
    (tmp_path / paths.ENGINE_RECORD).write_text(content)
    with pytest.raises(IntegrityError, match=r"engine\.json: cannot be read .*`git checkout HEAD -- engine/engine"):
        read_engine_record(tmp_path)
