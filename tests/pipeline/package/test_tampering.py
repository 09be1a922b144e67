"""Whatever is not as it was written is refused before anything is built of it."""

from __future__ import annotations

import io
import json
import pickle
import shutil
import zipfile
from typing import TYPE_CHECKING

import onnx
import pytest

from pipeline import files, package
from pipeline.errors import IntegrityError
from pipeline.package.onnx_model import OnnxModel
from tests.fixtures.small_packages import write_small_package

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

FILES = (
    "card.md",
    "decision.json",
    "encoder.json",
    "golden.json",
    "importance.json",
    "lineage.json",
    "manifest.json",
    "metrics.json",
    "model.onnx",
    "model.skops",
    "reference.json",
    "rule.json",
    "train_rows.json",
    "schema.yaml",
)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("whole") / "candidate"
    write_small_package(path, "personality", "model=logistic_regression", n_rows=400)
    return path


@pytest.fixture
def folder(whole: Path, tmp_path: Path) -> Path:
    return shutil.copytree(whole, tmp_path / "candidate")


def test_these_tests_cover_all_files(whole: Path) -> None:
    assert sorted(path.name for path in whole.iterdir()) == sorted(FILES)


@pytest.mark.parametrize("name", [name for name in FILES if name != "manifest.json"])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_a_flipped_byte_is_found(folder: Path, name: str, share: float) -> None:
    content = bytearray((folder / name).read_bytes())
    content[int(len(content) * share)] ^= 1
    (folder / name).write_bytes(bytes(content))
    with pytest.raises(IntegrityError):
        package.load_package(folder)


def test_a_changed_manifest_has_another_digest(whole: Path, folder: Path) -> None:
    path = folder / "manifest.json"
    path.write_text(path.read_text(encoding="utf-8").replace('"numpy": "', '"numpy": "9'), encoding="utf-8")
    assert package.load_package(folder).digest != package.load_package(whole).digest


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize(
    "spoil",
    [
        lambda path: path.unlink(),
        lambda path: path.write_bytes(path.read_bytes()[:-1]),
        lambda path: path.write_bytes(path.read_bytes() + b" "),
        lambda path: path.write_bytes(b""),
        lambda path: (path.rename(path.with_name("away")), path.symlink_to("away")),
        lambda path: (path.unlink(), path.mkdir()),
    ],
    ids=["absent", "shortened", "longer", "empty", "a link", "a folder"],
)
def test_a_file_that_is_not_as_written_is_found(folder: Path, name: str, spoil: Callable[[Path], object]) -> None:
    spoil(folder / name)
    with pytest.raises(IntegrityError):
        package.load_package(folder)


def test_a_file_beside_those_listed_is_found(folder: Path) -> None:
    (folder / "model.pkl").write_bytes(b"")
    with pytest.raises(IntegrityError, match=r"contains 'model\.pkl', which the manifest does not list"):
        package.load_package(folder)


def test_two_swapped_files_are_found(folder: Path) -> None:
    first, second = folder / "metrics.json", folder / "lineage.json"
    content = first.read_bytes()
    first.write_bytes(second.read_bytes())
    second.write_bytes(content)
    with pytest.raises(IntegrityError):
        package.load_package(folder)


def _relist(folder: Path, name: str, data: bytes) -> None:
    """Replace a file by `data` and adapt the manifest, as an attacker would."""
    (folder / name).write_bytes(data)
    manifest = json.loads((folder / "manifest.json").read_bytes())
    manifest["files"][name] = {"size": len(data), "sha256": files.sha256(data)}
    (folder / "manifest.json").write_text(files.canonical_json(manifest), encoding="utf-8")


class _Bomb:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return exec, ("raise SystemExit('it ran')",)


def _archive(schema: object, *, compressed: bool = False, name: str = "schema.json") -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED if compressed else zipfile.ZIP_STORED) as archive:
        archive.writestr(name, json.dumps(schema))
    return out.getvalue()


def _node(module: str, name: str, loader: str = "ObjectNode") -> dict[str, object]:
    return {"__class__": name, "__module__": module, "__loader__": loader, "__id__": 1, "content": None, "protocol": 2}


FORGED = {
    "a pickle": pickle.dumps(_Bomb()),
    "a call": _archive(_node("os", "system", "FunctionNode")),
    "a partial function": _archive(_node("functools", "partial", "PartialNode")),
    "a method": _archive(_node("builtins", "method", "MethodNode")),
    "an operator": _archive(_node("operator", "attrgetter", "OperatorFuncNode")),
    "a type of another package": _archive(_node("subprocess", "Popen")),
    "a builtin that runs": _archive(_node("builtins", "exec", "FunctionNode")),
    "a stranger inside": _archive(
        {**_node("sklearn.linear_model._logistic", "LogisticRegression"), "content": [_node("os", "system")]}
    ),
    "a compressed member": _archive({"a": "0" * 1_000_000}, compressed=True),
    "a path": _archive({}, name="../schema.json"),
    "no schema": _archive({}, name="0.npy"),
    "a schema that is none": _archive([1, 2]),
    "no archive": b"PK\x03\x04 and no more",
}


@pytest.mark.parametrize("data", FORGED.values(), ids=FORGED)
def test_a_forged_skops_file_is_refused_though_its_digest_fits(folder: Path, data: bytes) -> None:
    _relist(folder, "model.skops", data)
    with pytest.raises(IntegrityError, match=r"model\.skops|golden"):
        package.load_package(folder).sklearn_classifier()


def test_an_onnx_file_that_reads_another_file_is_refused(folder: Path) -> None:
    model = onnx.load_model_from_string((folder / "model.onnx").read_bytes())
    tensor = model.graph.initializer.add()
    tensor.name, tensor.data_type, tensor.data_location = "w", 1, onnx.TensorProto.EXTERNAL
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", "../../secret"
    _relist(folder, "model.onnx", model.SerializeToString())
    with pytest.raises(IntegrityError, match="refers to tensors in another file"):
        package.load_package(folder)


def test_an_onnx_file_with_custom_operators_is_refused(folder: Path) -> None:
    model = onnx.load_model_from_string((folder / "model.onnx").read_bytes())
    model.opset_import.add(domain="com.example", version=1)
    with pytest.raises(IntegrityError, match="uses custom operators"):
        OnnxModel(model.SerializeToString(), [0, 1])


def test_changed_predictions_are_found_by_the_golden_rows(folder: Path, tmp_path: Path) -> None:
    write_small_package(
        tmp_path / "other", "personality", "model=logistic_regression", "model.estimator.C=0.001", n_rows=400
    )
    _relist(folder, "model.onnx", (tmp_path / "other/model.onnx").read_bytes())
    with pytest.raises(IntegrityError, match="row 0: the prediction differs from the one stored"):
        package.load_package(folder)


@pytest.mark.parametrize(
    "change",
    [
        {"format": 2},
        {"files": {}},
        {"files": {"../x": {"size": 1, "sha256": "0" * 64}}},
        {"onnx": {"used": False, "rows": 0, "tolerance": 0.1}},
        {"stranger": 1},
        {"files": 3},
    ],
)
def test_a_manifest_of_another_form_is_refused(folder: Path, change: dict[str, object]) -> None:
    manifest = json.loads((folder / "manifest.json").read_bytes())
    (folder / "manifest.json").write_text(json.dumps({**manifest, **change}), encoding="utf-8")
    with pytest.raises(IntegrityError, match=r"manifest\.json"):
        package.load_package(folder)


def test_a_folder_without_a_package_is_refused_with_the_command(tmp_path: Path) -> None:
    with pytest.raises(IntegrityError, match=r"no model package.*run `dvc repro train`"):
        package.load_package(tmp_path)
