"""Store a fitted estimator as canonical skops bytes, and refuse to read any others."""

from __future__ import annotations

import io
import json
import re
import zipfile
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.errors import ConfigError, IntegrityError
from pipeline.extensions import estimator_packages

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["check_skops_file", "dump_estimator", "load_estimator"]

_EPOCH = (1980, 1, 1, 0, 0, 0)
_SCHEMA = "schema.json"
_MAX_MEMBERS = 200_000
_MAX_DEPTH = 200
_MEMBER = re.compile(r"[0-9]+\.(npy|npz|bin)")

# All loaders that a package may use. Methods, partial functions and operators would let a file call code
# of its choice; no estimator of ours needs them.
_LOADERS = frozenset(
    {
        "BytearrayNode",
        "BytesNode",
        "DefaultDictNode",
        "DictNode",
        "FunctionNode",
        "JsonNode",
        "ListNode",
        "LossNode",
        "MultinomialLossNode",
        "NdArrayNode",
        "ObjectNode",
        "RandomGeneratorNode",
        "RandomStateNode",
        "DTypeNode",
        "MaskedArrayNode",
        "ReduceNode",
        "SetNode",
        "SparseMatrixNode",
        "TreeNode",
        "TupleNode",
        "TypeNode",
        "SliceNode",
    }
)

# Reviewed by hand: plain data holders whose state is numbers. skops itself trusts scikit-learn's estimators;
# these are the types inside of them. A file never extends this list.
_TRUSTED = (
    "sklearn._loss._loss.CyHalfBinomialLoss",
    "sklearn._loss._loss.CyHalfMultinomialLoss",
    "sklearn._loss.link.HalfLogitLink",
    "sklearn._loss.link.Interval",
    "sklearn._loss.link.LogitLink",
    "sklearn._loss.link.MultinomialLogit",
    "sklearn._loss.loss.HalfBinomialLoss",
    "sklearn._loss.loss.HalfMultinomialLoss",
    "sklearn.calibration._CalibratedClassifier",
    "sklearn.calibration._SigmoidCalibration",
    "sklearn.ensemble._hist_gradient_boosting.binning._BinMapper",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.metrics._dist_metrics.EuclideanDistance64",
    "sklearn.metrics._dist_metrics.MinkowskiDistance64",
    "sklearn.neighbors._kd_tree.KDTree",
    "sklearn.neighbors._kd_tree.KDTree64",
    "sklearn.neighbors._ball_tree.BallTree",
    "sklearn.neighbors._ball_tree.BallTree64",
    "sklearn.neighbors._kd_tree.newObj",
    "sklearn.neighbors._ball_tree.newObj",
    "sklearn.metrics._dist_metrics.newObj",
    "sklearn.neural_network._stochastic_optimizers.AdamOptimizer",
    "sklearn.neural_network._stochastic_optimizers.SGDOptimizer",
    "sklearn.preprocessing._label.LabelBinarizer",
    "sklearn.preprocessing._label.LabelEncoder",
    "sklearn.tree._tree.Tree",
    "sklearn.utils._bunch.Bunch",
    "lightgbm.basic.Booster",
    "lightgbm.sklearn.LGBMClassifier",
    "xgboost.core.Booster",
    "xgboost.sklearn.XGBClassifier",
    "catboost.core.CatBoostClassifier",
    "collections.OrderedDict",
    "numpy.dtype",
    "sklearn.feature_selection._univariate_selection.f_classif",
)
_PLAIN_MODULES = frozenset({"builtins", "numpy", "numpy.random", "numpy.random.mtrand", "numpy.random._mt19937"})
_GENERATORS = frozenset({"numpy.random._generator.Generator", "numpy.random._pcg64.PCG64"})


def dump_estimator(estimator: Any) -> bytes:
    """Return the canonical skops file of `estimator`.

    skops writes the time, memory addresses and random names. Here members are numbered in the order of first
    use, keys are sorted, padding between the fields of records is zero, and members are not compressed.

    Raises
    ------
    ConfigError
        When the estimator contains an object that a package cannot store.
    """
    import skops.io

    try:
        raw = skops.io.dumps(estimator)
    except (TypeError, AttributeError, skops.io.exceptions.UnsupportedTypeException) as error:
        raise ConfigError(
            f"model.estimator: {type(estimator).__name__} cannot be stored without pickle ({error})"
        ) from error
    data = _canonical_archive(raw)
    try:
        check_skops_file(data)
        load_estimator(data)
    except IntegrityError as error:
        part = _unstorable_part(estimator)
        raise ConfigError(
            f"model.estimator: {type(part).__name__} cannot be packaged: {error}. Choose another estimator, or apply a"
            " step to the rows before and leave it out"
        ) from error
    return data


def _unstorable_part(estimator: Any) -> Any:
    """Return the innermost fitted part of a refused estimator that is refused by itself."""
    for part in _fitted_parts(estimator):
        try:
            dump_estimator(part)
        except ConfigError:
            return _unstorable_part(part)
    return estimator


def _fitted_parts(estimator: Any) -> Iterator[Any]:
    for name in ("steps", "transformers_", "transformer_list"):
        for member in getattr(estimator, name, ()):
            if hasattr(member[1], "get_params"):
                yield member[1]
    members = getattr(estimator, "estimators_", ())
    yield from members if isinstance(members, list) else ()


def load_estimator(data: bytes) -> Any:
    """Return the estimator in canonical skops bytes, built only from types on our own list.

    Raises
    ------
    IntegrityError
        When the bytes are no canonical file, or name a type that is not on the list.
    """
    check_skops_file(data)
    import skops.io

    try:
        return skops.io.loads(data, trusted=[*_TRUSTED, *sorted(_extension_types(data))])
    except Exception as error:  # a crafted file can make skops raise anything
        raise IntegrityError(f"model.skops: cannot be read ({type(error).__name__}: {error})") from error


def check_skops_file(data: bytes) -> None:
    """Check the form of a skops file and every type named in it, without importing or building any.

    Raises
    ------
    IntegrityError
        When it is no canonical file, or names a loader or type that is not allowed.
    """
    for node in _schema_nodes(data):
        module, name, loader = node.get("__module__"), node.get("__class__"), node.get("__loader__")
        if loader not in _LOADERS:
            raise IntegrityError(f"model.skops: names the loader {loader!r}, which is not allowed")
        if not _is_trusted(module, name):
            raise IntegrityError(
                f"model.skops: names the type {module}.{name}, which is not on the list of trusted types"
            )


def _schema_nodes(data: bytes) -> list[dict[str, Any]]:
    """Return the description of every object in a file."""
    members = _read_members(data)
    try:
        schema = json.loads(members[_SCHEMA])
        nodes = list(_nodes(schema, 0))
    except (KeyError, ValueError, RecursionError, TypeError, AttributeError) as error:
        raise IntegrityError(f"model.skops: invalid schema ({error})") from error
    if not isinstance(schema, dict) or "__class__" not in schema:
        raise IntegrityError("model.skops: invalid schema (it describes no object)")
    return nodes


def _extension_types(data: bytes) -> set[str]:
    """Return the types of a checked file that loaded extensions define; skops takes no package, only types."""
    types = ((str(node.get("__module__")), str(node.get("__class__"))) for node in _schema_nodes(data))
    return {f"{module}.{name}" for module, name in types if module.partition(".")[0] in estimator_packages()}


def _is_trusted(module: object, name: object) -> bool:
    if not isinstance(module, str) or not isinstance(name, str):
        return False
    if f"{module}.{name}" in _GENERATORS.union(_TRUSTED) or f"{module}.{name}" == "collections.defaultdict":
        return True
    if module == "builtins":
        return name in {"str", "int", "float", "bool", "list", "tuple", "dict", "set", "slice", "bytes", "bytearray"}
    if module.partition(".")[0] in estimator_packages():
        return True
    return module in _PLAIN_MODULES or module.startswith(("sklearn.", "scipy.sparse"))


def _nodes(value: Any, depth: int) -> Iterator[dict[str, Any]]:
    if depth > _MAX_DEPTH:
        raise IntegrityError("model.skops: the schema is nested too deeply")
    if isinstance(value, dict):
        if "__class__" in value:
            yield value
        for child in value.values():
            yield from _nodes(child, depth + 1)
    elif isinstance(value, list):
        for child in value:
            yield from _nodes(child, depth + 1)


def _read_members(data: bytes) -> dict[str, bytes]:
    """Return the members of an uncompressed archive, which cannot be a decompression bomb."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = archive.infolist()
            if len(members) > _MAX_MEMBERS or len({member.filename for member in members}) != len(members):
                raise IntegrityError("model.skops: has too many members, or a duplicate")
            if sum(member.file_size for member in members) > len(data):
                raise IntegrityError("model.skops: its members overlap")
            for member in members:
                _check_member(member)
            return {member.filename: archive.read(member) for member in members}
    except (zipfile.BadZipFile, EOFError, NotImplementedError, OSError, RuntimeError, ValueError) as error:
        raise IntegrityError(f"model.skops: not a skops file ({error})") from error


def _check_member(member: zipfile.ZipInfo) -> None:
    if member.compress_type != zipfile.ZIP_STORED or member.file_size != member.compress_size:
        raise IntegrityError(f"model.skops: member {member.filename!r} is compressed")
    if member.filename != _SCHEMA and not _MEMBER.fullmatch(member.filename):
        raise IntegrityError(f"model.skops: member {member.filename!r} has an unexpected name")


def _canonical_archive(raw: bytes) -> bytes:
    with zipfile.ZipFile(io.BytesIO(raw)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    renamed: dict[str, str] = {}
    numbers: dict[int, int] = {}
    schema = _canonical_node(json.loads(members[_SCHEMA]), renamed, numbers, last=[0])
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        _add_member(archive, _SCHEMA, json.dumps(schema, sort_keys=False, separators=(",", ":")).encode())
        for old, new in renamed.items():
            _add_member(archive, new, _without_padding(members[old]) if old.endswith(".npy") else members[old])
    return out.getvalue()


def _add_member(archive: zipfile.ZipFile, name: str, data: bytes) -> None:
    entry = zipfile.ZipInfo(name, _EPOCH)
    entry.create_system = 3
    entry.external_attr = 0o644 << 16
    archive.writestr(entry, data)


_UNSHARED_LOADERS = frozenset({"JsonNode", "TypeNode", "FunctionNode"})


def _canonical_node(value: Any, renamed: dict[str, str], numbers: dict[int, int], *, last: list[int]) -> Any:
    """Return a node with sorted keys, its id and file numbered in the order of first use."""
    if isinstance(value, list):
        return [_canonical_node(child, renamed, numbers, last=last) for child in value]
    if not isinstance(value, dict):
        return value
    settled: dict[str, Any] = {}
    for name in _key_order(value):
        child = value[name]
        if name == "__id__":
            settled[name] = _object_id(child, numbers, last, is_shared=value.get("__loader__") not in _UNSHARED_LOADERS)
        elif name == "file" and isinstance(child, str):
            suffix = child.rpartition(".")[2]
            settled[name] = renamed.setdefault(child, f"{len(renamed)}.{suffix}")
        elif name == "content" and value.get("__loader__") == "SetNode":
            settled[name] = _canonical_node(sorted(child, key=_without_ids), renamed, numbers, last=last)
        else:
            settled[name] = _canonical_node(child, renamed, numbers, last=last)
    return settled


def _object_id(old: int, numbers: dict[int, int], last: list[int], *, is_shared: bool) -> int:
    """Return the number of an object; strings and numbers are never shared, because that differs by process."""
    if is_shared and old in numbers:
        return numbers[old]
    last[0] += 1
    if is_shared:
        numbers[old] = last[0]
    return last[0]


def _key_order(node: dict[str, Any]) -> list[str]:
    """Return the keys of a node in canonical order; a dictionary keeps its order, which pairs with its types."""
    return sorted(node) if "__class__" in node or "__loader__" in node else list(node)


def _without_ids(value: Any) -> str:
    if isinstance(value, dict):
        return (
            "{" + ",".join(f"{name}:{_without_ids(child)}" for name, child in value.items() if name != "__id__") + "}"
        )
    if isinstance(value, list):
        return "[" + ",".join(map(_without_ids, value)) + "]"
    return json.dumps(value)


def _without_padding(data: bytes) -> bytes:
    """Return an array file whose padding between fields is zero instead of old memory content."""
    array = np.load(io.BytesIO(data), allow_pickle=False)
    if array.dtype.names is None:
        return data
    clean = np.zeros(array.shape, dtype=array.dtype)
    for name in array.dtype.names:
        clean[name] = array[name]
    out = io.BytesIO()
    np.save(out, clean, allow_pickle=False)
    return out.getvalue()
