"""conf/ and data/external/ hold only settings, rows and plain pointers; all else stops the graph."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pipeline.config.composition import compose
from pipeline.config.declared_files import check_declared_files, find_undeclared_files
from pipeline.errors import ConfigError
from tests.fixtures.workspace import BIN

if TYPE_CHECKING:
    from collections.abc import Callable

REPOSITORY = Path(__file__).parents[3]
EMPTY_MD5 = "d41d8cd98f00b204e9800998ecf8427e"  # pragma: allowlist secret
POINTER = f"outs:\n- md5: {EMPTY_MD5}\n  size: 0\n  hash: md5\n  path: rows.csv\n"


def write(root: Path, path: str, text: str = "") -> None:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_text(text, encoding="utf-8")


@pytest.mark.parametrize(
    "path",
    [
        "conf/dvc.yaml",
        "conf/DVC.YAML",
        "conf/data/dvc.yaml",
        "conf/model/dvc.lock",
        "conf/.dvcignore",
        "conf/.gitignore",
        "conf/model/x.dvc",
        "conf/model/run.py",
        "conf/model/run.sh",
        "conf/other.yaml",
        "conf/params.yaml",
        "conf/model/x.yml",
        "conf/model/.hidden.yaml",
        "conf/foreign/x.yaml",
        "conf/hydra_plugins/x.yaml",
        "conf/.dvc/config",
        "conf/.git/hooks/post-checkout",
        "data/external/dvc.yaml",
        "data/external/deep/dvc.yaml",
        "data/external/.dvcignore",
        "data/external/.dvc/config",
        "data/external/.git/hooks/post-checkout",
        "data/external/run.py",
        "data/external/rows.pkl",
        "data/external/rows",
        "data/external/rows.csv.sh",
        "data/external/params.yaml",
    ],
)
def test_a_foreign_file_is_named(project: Path, path: str) -> None:
    write(project, path, "a: 1\n")
    named = [file.path for file in find_undeclared_files(project)]
    assert len(named) == 1
    assert path.startswith(named[0])


def link(target: str) -> Callable[[Path], None]:
    return lambda path: path.symlink_to(target)


@pytest.mark.parametrize(
    "make",
    [
        link("/proc/self/environ"),
        link("/etc"),
        link("../../params.yaml"),
        link("missing"),
        os.mkfifo,
        Path.mkdir,
    ],
    ids=["environ", "folder", "inside", "dangling", "pipe", "plain folder"],
)
@pytest.mark.parametrize("path", ["conf/model/x.yaml", "data/external/rows.csv", "data/external/rows.csv.dvc"])
def test_links_pipes_and_folders_in_place_of_files_are_named(
    project: Path, path: str, make: Callable[[Path], None]
) -> None:
    (project / "data/external").mkdir(parents=True)
    make(project / path)
    assert [file.path for file in find_undeclared_files(project)] == [path]


@pytest.mark.parametrize("folder", ["conf", "conf/model", "data", "data/external"])
def test_a_linked_folder_is_named(project: Path, folder: str) -> None:
    write(project, "data/external/rows.csv")
    shutil.move(project / folder, project / "elsewhere")
    (project / folder).symlink_to(project / "elsewhere")
    assert [file.path for file in find_undeclared_files(project)] == [folder]


@pytest.mark.parametrize(
    "pointer",
    [
        "deps:\n- path: https://example.org/x.csv\n" + POINTER,
        "deps:\n- path: ../../secret\n" + POINTER,
        "cmd: touch ran\n" + POINTER,
        "wdir: ../..\n" + POINTER,
        "frozen: true\n" + POINTER,
        POINTER.replace("path: rows.csv", "path: ../../stages/compose.py"),
        POINTER.replace("path: rows.csv", "path: other.csv"),
        POINTER + "- path: more.csv\n",
        POINTER.replace("\n  size", ".dir\n  size"),
        POINTER + "  nfiles: 2\n",
        POINTER.replace("hash: md5", "remote: other"),
        POINTER.replace(EMPTY_MD5, "../../../../../../etc/passwd"),
        POINTER.replace(EMPTY_MD5, "d4/../../../../../etc/passwd"),
        POINTER.replace(EMPTY_MD5, "D41D"),
        POINTER.replace("hash: md5", "hash: etag"),
        POINTER.replace(f"- md5: {EMPTY_MD5}\n ", "-"),
        "stages: {}\n",
        "[]",
        "",
        "outs: [",
        "outs: [7]",
    ],
)
def test_a_pointer_that_is_more_than_a_pointer_is_named(project: Path, pointer: str) -> None:
    write(project, "data/external/rows.csv.dvc", pointer)
    assert [file.path for file in find_undeclared_files(project)] == ["data/external/rows.csv.dvc"]


@pytest.mark.parametrize("name", ["dvc.yaml", "rows", "run.py", ".gitignore", ".dvc"])
def test_a_pointer_to_anything_but_rows_is_named(project: Path, name: str) -> None:
    write(project, f"data/external/{name}.dvc", POINTER.replace("path: rows.csv", f"path: {name}"))
    assert [file.path for file in find_undeclared_files(project)] == [f"data/external/{name}.dvc"]


def test_what_the_commands_and_editors_write_is_accepted(project: Path) -> None:
    write(project, "data/external/rows.csv.dvc", POINTER)
    for path in (
        "data/external/rows.csv",
        "data/external/deep/rows.parquet",
        "data/external/.gitignore",
        "data/external/.gitkeep",
        "data/external/.rows.csv.x1.tmp",
        "conf/.config.yaml.swp",
        "conf/data/mine.yaml",
    ):
        write(project, path)
    assert find_undeclared_files(project) == []


def test_a_source_that_a_problem_declares_is_accepted_whatever_its_suffix(project: Path) -> None:
    write(project, "data/external/rows.dat")
    write(project, "data/external/rows.dat.dvc", POINTER.replace("rows.csv", "rows.dat"))
    write(project, "conf/data/mine.yaml", "source: {kind: csv, path: data/external/rows.dat}\n")
    assert find_undeclared_files(project) == []


def test_a_group_that_the_defaults_list_adds_is_accepted(project: Path) -> None:
    config = project / "conf/config.yaml"
    config.write_text(
        config.read_text(encoding="utf-8").replace("  - base\n", "  - base\n  - optional preset: null\n"),
        encoding="utf-8",
    )
    write(project, "conf/preset/fast.yaml", "seed: 1\n")
    assert find_undeclared_files(project) == []


def test_the_error_counts_what_it_does_not_list(project: Path) -> None:
    for number in range(12):
        write(project, f"data/external/{number}.py")
    with pytest.raises(ConfigError, match=r"(?s)0\.py: is no file of rows.*\.\.\. and 2 more\nconf/ holds only"):
        check_declared_files(project)


def test_nothing_is_composed_beside_a_foreign_file(project: Path) -> None:
    write(project, "conf/model/run.py")
    with pytest.raises(ConfigError, match=r"conf/model/run\.py: is no YAML file of settings"):
        compose((), conf=project / "conf")


EVIL = "stages:\n  evil:\n    cmd: touch {ran} && echo 1 > zz\n    outs: [zz]\n"
GRAPH = "stages:\n  compose: {cmd: 'true', deps: [conf]}\n  ingest: {cmd: 'true', deps: [data/external]}\n"


@pytest.mark.usefixtures("starts_processes")
def test_dvc_itself_runs_no_stage_of_a_nested_file(project: Path) -> None:
    ran = project / "ran"
    for command in (["git", "init", "-q"], [str(BIN / "dvc"), "init", "-q"]):
        subprocess.run(command, cwd=project, check=True)
    shutil.copy(REPOSITORY / ".dvcignore", project)
    write(project, "dvc.yaml", GRAPH)
    for folder in ("conf", "conf/model", "data/external", "data/external/deep/er"):
        write(project, f"{folder}/dvc.yaml", EVIL.format(ran=ran))
        write(project, f"{folder}/.dvcignore", "!dvc.yaml\n!*.dvc\n!**\n")
    subprocess.run([BIN / "dvc", "repro"], cwd=project, check=True, capture_output=True)
    subprocess.run([BIN / "dvc", "repro", "--all-pipelines"], cwd=project, check=True, capture_output=True)
    assert not ran.exists()
