"""The key of the hashes is created whole or not at all, and refused when hashes with it would hide nothing."""

from __future__ import annotations

import os
import resource
import signal
from typing import TYPE_CHECKING

import pytest

from pipeline.errors import DependencyUnavailable, IntegrityError, MlopsError
from pipeline.serving.log_hash_key import load_hash_key

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def key_file(root: Path, content: bytes, mode: int = 0o600) -> Path:
    path = root / "state/log.key"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    path.chmod(mode)
    return path


def test_the_key_is_created_once_for_this_user_alone(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        key = load_hash_key(tmp_path)
    finally:
        os.umask(before)
    assert load_hash_key(tmp_path) == key
    assert len(key) == 32
    assert [(tmp_path / name).stat().st_mode & 0o777 for name in ("state", "state/log.key")] == [0o700, 0o600]


@pytest.mark.parametrize(
    "content", [b"", b"a", bytes(range(31)), bytes(range(33)), bytes(range(64)), bytes(32), b"a" * 32, b"secret\n"]
)
def test_a_key_that_is_no_32_random_bytes_is_refused_and_unchanged(tmp_path: Path, content: bytes) -> None:
    path = key_file(tmp_path, content)
    with pytest.raises(IntegrityError, match=r"log\.key: the hash key of the log has .*expected 32 random bytes"):
        load_hash_key(tmp_path)
    assert path.read_bytes() == content


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o660, 0o602, 0o666])
def test_a_key_that_others_can_read_or_write_is_refused(tmp_path: Path, mode: int) -> None:
    key_file(tmp_path, os.urandom(32), mode)
    with pytest.raises(IntegrityError, match=r"other users can .*run `chmod 600"):
        load_hash_key(tmp_path)


def make_folder(path: Path) -> None:
    path.mkdir()


def make_dangling_link(path: Path) -> None:
    path.symlink_to(path.with_name("nowhere"))


@pytest.mark.parametrize("make", [make_folder, make_dangling_link])
def test_a_key_that_cannot_be_read_is_refused(tmp_path: Path, make: Callable[[Path], None]) -> None:
    (tmp_path / "state").mkdir()
    make(tmp_path / "state/log.key")
    with pytest.raises(MlopsError, match="the hash key of the log cannot be read"):
        load_hash_key(tmp_path)


def test_a_full_disk_leaves_no_key(tmp_path: Path) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (16, limits[1]))
    try:
        with pytest.raises(DependencyUnavailable, match=r"log\.key: File too large"):
            load_hash_key(tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert [path.name for path in (tmp_path / "state").iterdir()] == ["log.key.lock"]
    assert len(load_hash_key(tmp_path)) == 32


@pytest.mark.parametrize("step", ["os.fsync", "pathlib.Path.replace", "pathlib.Path.write_bytes"])
def test_an_interrupted_start_leaves_no_key(tmp_path: Path, step: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(step, stop)
        with pytest.raises(KeyboardInterrupt):
            load_hash_key(tmp_path)
    assert not (tmp_path / "state/log.key").exists()
    assert len(load_hash_key(tmp_path)) == 32
