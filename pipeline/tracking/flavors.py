"""Write models in MLflow's own folder form, so that its loader, its scoring server and its registry know them."""

from __future__ import annotations

import shutil
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from pipeline import files
from pipeline.errors import UsageError
from pipeline.tracking.run_store import suppress_warnings

if TYPE_CHECKING:
    import pandas as pd

    from pipeline.package import Package

__all__ = ["mlflow_signature", "save_estimator", "save_package"]

_PACKAGE_REQUIREMENTS = ("numpy", "onnxruntime", "pandas", "pyyaml", "scikit-learn", "skops")
_ESTIMATOR_REQUIREMENTS = ("cloudpickle", "numpy", "pandas", "scikit-learn", "scipy", "skops")
_EXTRA_REQUIREMENTS = {"lightgbm": "lightgbm", "xgboost": "xgboost", "catboost": "catboost"}


def save_package(package: Path, folder: Path) -> str:
    """Write a model package as an MLflow model whose loader is ours: digests are checked, nothing is unpickled.

    Raises
    ------
    UsageError
        When `package` is not the folder of a model package.
    """
    if not (package / "manifest.json").is_file():
        raise UsageError(f"log_model: {package}: is neither an estimator nor the folder of a model package")
    folder.mkdir()
    shutil.copytree(package, folder / "package")
    described = yaml.safe_load((package / "schema.yaml").read_text(encoding="utf-8"))
    digest = files.sha256_file(package / "manifest.json")
    with suppress_warnings():
        from mlflow import pyfunc
        from mlflow.models import Model

        model = Model(signature=mlflow_signature(described), metadata={"package_digest": digest})
        pyfunc.add_to_model(model, loader_module=__name__, data="package", env={"virtualenv": "python_env.yaml"})
        _write_environment(folder, _PACKAGE_REQUIREMENTS)
        model.save(str(folder / "MLmodel"))
    return "package"


def mlflow_signature(schema: dict[str, Any]) -> Any:
    """Return the MLflow signature of a declared schema.

    MLflow refuses an integer or boolean column in which a value is missing, whatever its form (float
    with NaN, nullable integers, objects); such columns are declared optional and of any type here, and
    our own encoder, which reads all of these forms alike, checks their values.
    """
    from mlflow.models.signature import ModelSignature
    from mlflow.types import ColSpec, DataType, Schema
    from mlflow.types import schema as types

    known = {
        "integer": DataType.long,
        "float": DataType.double,
        "boolean": DataType.boolean,
        "datetime": DataType.datetime,
        "category": DataType.string,
        "text": DataType.string,
    }
    inputs: list[Any] = []
    for column in schema["columns"]:
        if column["role"] != "feature":
            continue
        kind = column["kind"]
        is_loose = column["nullable"] and kind in ("integer", "boolean")
        kept = types.AnyType() if is_loose else known[kind]  # type: ignore[no-untyped-call]
        inputs.append(ColSpec(kept, column["name"], required=not column["nullable"]))
    classes = [ColSpec(DataType.double, name) for name in schema["target"]["classes"]]
    return ModelSignature(Schema(inputs), Schema([ColSpec(DataType.string, "prediction"), *classes]))


class _PackagePyfunc:
    """A package behind MLflow's `predict`: one row out for each row in, the class and every probability."""

    def __init__(self, package: Package) -> None:
        self._package = package

    def predict(self, model_input: pd.DataFrame, params: dict[str, Any] | None = None) -> pd.DataFrame:  # noqa: ARG002 - MLflow calls it so
        import pandas as pd

        columns = {name: model_input.get(name) for name in self._package.schema.feature_names}
        absent = pd.array([None] * len(model_input), dtype="object")
        frame = pd.DataFrame(
            {name: absent if values is None else values for name, values in columns.items()}, index=model_input.index
        )
        probabilities = self._package.predict_proba(frame)
        said: dict[str, Any] = {"prediction": self._package.predict(frame)}
        said |= {name: probabilities[:, at] for at, name in enumerate(self._package.classes)}
        return pd.DataFrame(said, index=model_input.index)


def _load_pyfunc(path: str) -> _PackagePyfunc:
    """Load a package for MLflow, after its digests were checked."""
    from pipeline import package

    return _PackagePyfunc(package.load_package(Path(path)))


def save_estimator(estimator: Any, folder: Path, *, example: pd.DataFrame | None, signature: Any) -> str:
    """Write any scikit-learn estimator as an MLflow model; return the form that it is kept in.

    skops form where skops can write it, with the types that this very estimator is made of; cloudpickle
    where it cannot. The requirements are stated: guessing them takes MLflow five seconds.
    """
    trusted = _untrusted_types(estimator)
    family = type(estimator).__module__.partition(".")[0]
    more = [_EXTRA_REQUIREMENTS[family]] if family in _EXTRA_REQUIREMENTS else []
    with suppress_warnings():
        from mlflow import sklearn

        sklearn.save_model(
            estimator,
            str(folder),
            serialization_format="cloudpickle" if trusted is None else "skops",
            skops_trusted_types=trusted,
            signature=signature if signature is not None else _infer_signature(estimator, example),
            pip_requirements=_pin_versions((*_ESTIMATOR_REQUIREMENTS, *more)),
        )
    return "cloudpickle" if trusted is None else "skops"


def _untrusted_types(estimator: Any) -> list[str] | None:
    """Return the types that skops does not know by itself; None when it cannot write and read the estimator."""
    import skops.io

    try:
        data = skops.io.dumps(estimator)
        unknown = sorted(skops.io.get_untrusted_types(data=data))
        skops.io.loads(data, trusted=unknown)
    except Exception:  # noqa: BLE001 - skops raises whatever the parts of the estimator raise
        return None
    return list(unknown)


def _infer_signature(estimator: Any, example: pd.DataFrame | None) -> Any:
    from mlflow.models import infer_signature
    from mlflow.models.signature import ModelSignature
    from mlflow.types import ColSpec, DataType, Schema
    from mlflow.types import schema as types

    if example is None:
        return None
    # Called within `quiet`: it warns of integers that may be missing, which are loosened below.
    found = infer_signature(example, estimator.predict(example.astype(_float_dtypes(example))))
    loose = {DataType.long, DataType.integer, DataType.boolean}
    if not found.inputs.has_input_names():
        return found
    inputs = [
        ColSpec(types.AnyType(), column.name, required=False)  # type: ignore[no-untyped-call]
        if column.type in loose and not column.required
        else column
        for column in found.inputs.inputs
    ]
    return ModelSignature(Schema(inputs), found.outputs)


def _float_dtypes(example: pd.DataFrame) -> dict[Any, str]:
    """Return the columns of nullable numbers with the type that every estimator takes."""
    return {name: "float64" for name, dtype in example.dtypes.items() if str(dtype) in ("Int64", "Float64")}


def _write_environment(folder: Path, packages: tuple[str, ...]) -> None:
    from platform import python_version

    requirements = "".join(f"{line}\n" for line in _pin_versions(packages))
    (folder / "requirements.txt").write_text(requirements, encoding="utf-8")
    environment = {"python": python_version(), "dependencies": ["-r requirements.txt"]}
    (folder / "python_env.yaml").write_text(yaml.safe_dump(environment), encoding="utf-8")


def _pin_versions(packages: tuple[str, ...]) -> list[str]:
    return [f"{name}=={version(name)}" for name in packages]
