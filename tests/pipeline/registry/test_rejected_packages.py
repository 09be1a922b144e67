"""The registry refuses damaged and forged packages with a reason, without running their code."""

from __future__ import annotations

import gzip
import io
import json
import lzma
import os
import pickle
import shutil
import struct
import time
import zipfile
from typing import TYPE_CHECKING, Any

import cloudpickle
import joblib
import onnx
import pytest
import yaml

from pipeline.errors import IntegrityError
from tests.pipeline.package.test_tampering import FORGED, _archive, _node, _relist
from tests.pipeline.registry.test_model_registry import NAME, add

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pipeline.registry import ModelRegistry

WITHIN_S = 2.0
MARK = "MLOPS_TEST_MARK"


class Payload:
    """Leaves a mark when it is unpickled."""

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return exec, (f"import os, pathlib; pathlib.Path(os.environ['{MARK}']).touch()",)


def _joblib(compress: Any) -> bytes:
    out = io.BytesIO()
    joblib.dump(Payload(), out, compress=compress)
    return out.getvalue()


PICKLES: dict[str, bytes] = {
    "pickle": pickle.dumps(Payload()),
    "pickle of protocol 0": pickle.dumps(Payload(), protocol=0),
    "joblib": _joblib(0),
    "joblib gz": _joblib(("gzip", 3)),
    "joblib lzma": _joblib(("lzma", 3)),
    "joblib xz": _joblib(("xz", 3)),
    "cloudpickle": cloudpickle.dumps(Payload()),
    "gz": gzip.compress(pickle.dumps(Payload())),
    "lzma": lzma.compress(pickle.dumps(Payload())),
}


def _zip_of_a_pickle() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("data.pkl", PICKLES["pickle"])
        archive.writestr("schema.json", json.dumps(_node("os", "system")))
    return out.getvalue()


def _bomb() -> bytes:
    """A compressed member of 256 MB in 256 kB."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("schema.json", "w") as member:
        for _ in range(16):
            member.write(bytes(1 << 24))
    return out.getvalue()


def _overlapping_bomb() -> bytes:
    """20,000 members that are all the same 1 MB of the file: 20 GB when they are read one by one."""
    size, n = 1 << 20, 20_000
    local = struct.pack("<4s5H3I2H", b"PK\x03\x04", 10, 0, 0, 0, 33, 0, size, size, 5, 0) + b"0.bin"
    entries = []
    for at in range(n):
        name = f"{at}.bin".encode()
        entries.append(
            struct.pack("<4s6H3I5H2I", b"PK\x01\x02", 10, 10, 0, 0, 0, 33, 0, size, size, len(name), 0, 0, 0, 0, 0, 0)
            + name
        )
    listed = b"".join(entries)
    start = len(local) + size
    end = struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, n, n, len(listed), start, 0)
    return local + bytes(size) + listed + end


SKOPS: dict[str, Callable[[], bytes]] = {
    "a pickle renamed": lambda: PICKLES["pickle"],
    "a joblib file renamed": lambda: PICKLES["joblib"],
    "a zip holding a pickle": _zip_of_a_pickle,
    "a zip bomb": _bomb,
    "a zip bomb of overlapping members": _overlapping_bomb,
    "a member with a path": lambda: _archive({}, name="../../outside.npy"),
    "a member with an absolute path": lambda: _archive({}, name="/tmp/outside.npy"),
    **{name: (lambda data=data: data) for name, data in FORGED.items()},  # type: ignore[misc]
}


def _mlflow_folder(folder: Path) -> None:
    """An MLflow model whose own list trusts its content."""
    shutil.rmtree(folder)
    folder.mkdir()
    (folder / "model.skops").write_bytes(_archive(_node("os", "system", "FunctionNode")))
    flavor = {"serialization_format": "skops", "skops_trusted_types": ["os.system"], "pickled_model": "model.skops"}
    (folder / "MLmodel").write_text(yaml.safe_dump({"flavors": {"sklearn": flavor}}), encoding="utf-8")


def _mlflow_pickle(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.mkdir()
    (folder / "python_model.pkl").write_bytes(PICKLES["cloudpickle"])
    flavor = {"loader_module": "mlflow.pyfunc.model", "python_model": "python_model.pkl"}
    (folder / "MLmodel").write_text(yaml.safe_dump({"flavors": {"python_function": flavor}}), encoding="utf-8")


def _external(folder: Path) -> None:
    model = onnx.load_model_from_string((folder / "model.onnx").read_bytes())
    tensor = model.graph.initializer.add()
    tensor.name, tensor.data_type, tensor.data_location = "w", 1, onnx.TensorProto.EXTERNAL
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", "../../secret"
    _relist(folder, "model.onnx", model.SerializeToString())


def _listed(folder: Path, name: str) -> None:
    manifest = json.loads((folder / "manifest.json").read_bytes())
    manifest["files"][name] = {"size": 1, "sha256": "0" * 64}
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")


def _flip(folder: Path) -> None:
    data = bytearray((folder / "model.skops").read_bytes())
    data[len(data) // 2] ^= 1
    (folder / "model.skops").write_bytes(bytes(data))


def _swap(folder: Path) -> None:
    first, second = folder / "model.onnx", folder / "model.skops"
    data = first.read_bytes()
    first.write_bytes(second.read_bytes())
    second.write_bytes(data)


def _truncate(folder: Path) -> None:
    data = (folder / "model.onnx").read_bytes()
    (folder / "model.onnx").write_bytes(data[: len(data) // 2])


def _link(folder: Path) -> None:
    (folder / "model.skops").unlink()
    (folder / "model.skops").symlink_to("/etc/hostname")


SPOILED: dict[str, Callable[[Path], None]] = {
    "an MLflow folder whose own list trusts": _mlflow_folder,
    "an MLflow folder with a pickle": _mlflow_pickle,
    "ONNX with external data": _external,
    "a traversal in the manifest": lambda folder: _listed(folder, "../../outside"),
    "an absolute name in the manifest": lambda folder: _listed(folder, "/etc/passwd"),
    "a pickle beside it": lambda folder: (folder / "model.pkl").write_bytes(PICKLES["pickle"]) and None,
    "a truncated file": _truncate,
    "a flipped bit": _flip,
    "two swapped files": _swap,
    "a link": _link,
}


@pytest.fixture
def mark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "it_ran"
    monkeypatch.setenv(MARK, str(path))
    return path


@pytest.fixture
def folder(candidates: dict[str, Path], tmp_path: Path) -> Path:
    return shutil.copytree(candidates["first"], tmp_path / "forged")


def refused(registry: ModelRegistry, source: Path, mark: Path) -> None:
    started = time.monotonic()
    with pytest.raises(IntegrityError, match=r".{20,}"):
        registry.register_model(source, NAME)
    assert time.monotonic() - started < WITHIN_S
    assert not mark.exists()
    assert registry.list_models() == []
    assert not list(registry.packages.folder.glob("*"))


def test_there_are_thirty_of_them() -> None:
    assert len(PICKLES) + len(SKOPS) + len(SPOILED) >= 30


def test_the_payload_would_leave_its_mark(mark: Path) -> None:
    for data in (PICKLES["pickle"], PICKLES["cloudpickle"]):
        pickle.loads(data)
        mark.unlink()
    assert os.environ[MARK] == str(mark)


@pytest.mark.parametrize("name", PICKLES)
def test_a_pickle_of_any_kind_is_refused(registry: ModelRegistry, tmp_path: Path, mark: Path, name: str) -> None:
    file = tmp_path / "model.pkl"
    file.write_bytes(PICKLES[name])
    refused(registry, file, mark)


@pytest.mark.parametrize("name", SKOPS)
def test_a_forged_model_file_is_refused_though_the_digests_fit(
    registry: ModelRegistry, folder: Path, mark: Path, name: str
) -> None:
    _relist(folder, "model.skops", SKOPS[name]())
    refused(registry, folder, mark)


@pytest.mark.parametrize("name", SPOILED)
def test_a_spoiled_folder_is_refused(registry: ModelRegistry, folder: Path, mark: Path, name: str) -> None:
    SPOILED[name](folder)
    refused(registry, folder, mark)


@pytest.mark.parametrize("name", SPOILED)
def test_a_package_that_was_spoiled_in_the_store_is_not_loaded(
    registry: ModelRegistry, candidates: dict[str, Path], mark: Path, name: str
) -> None:
    version = add(registry, candidates["first"])
    stored = registry.packages.path(version.digest)
    SPOILED[name](stored)
    started = time.monotonic()
    with pytest.raises(IntegrityError, match=r".{20,}"):
        registry.load_model(NAME, version=1)
    assert time.monotonic() - started < WITHIN_S
    assert not mark.exists()


@pytest.mark.parametrize("digest", ["../../outside", "/etc", "0" * 64])
def test_a_digest_in_the_database_that_is_no_package_is_not_followed(registry: ModelRegistry, digest: str) -> None:
    with pytest.raises(IntegrityError, match=r"no model package|not the digest of a package"):
        registry.packages.load(digest)
