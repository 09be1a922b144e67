"""Write models in MLflow's folder format, for its loader, scoring server and registry."""

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
    """Write a model package as an MLflow model with our loader, which verifies digests and unpickles nothing.

    Raises
    ------
    UsageError
        When `package` is not the folder of a model package.
    """
    if not (package / "manifest.json").is_file():
        raise UsageError(f"log_model: {package}: is neither an estimator nor a model package")
    folder.mkdir()
    shutil.copytree(package, folder / "package")
    schema = files.parse_yaml((package / "schema.yaml").read_text(encoding="utf-8"))
    digest = files.sha256_file(package / "manifest.json")
    with suppress_warnings():
        from mlflow import pyfunc
        from mlflow.models import Model

        model = Model(signature=mlflow_signature(schema), metadata={"package_digest": digest})
        pyfunc.add_to_model(model, loader_module=__name__, data="package", env={"virtualenv": "python_env.yaml"})
        _write_environment(folder, _PACKAGE_REQUIREMENTS)
        model.save(str(folder / "MLmodel"))
    return "package"


def mlflow_signature(schema: dict[str, Any]) -> Any:
    """Return the MLflow signature of a declared schema.

    MLflow rejects integer and boolean columns with missing values of any kind (float with NaN, nullable
    integers, objects). The signature declares such columns optional and of any type; our encoder accepts
    all of these types and checks the values.
    """
    from mlflow.models.signature import ModelSignature
    from mlflow.types import ColSpec, DataType, Schema
    from mlflow.types import schema as types

    mlflow_types = {
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
        accepts_any = column["nullable"] and kind in ("integer", "boolean")
        column_type = types.AnyType() if accepts_any else mlflow_types[kind]  # type: ignore[no-untyped-call]
        inputs.append(ColSpec(column_type, column["name"], required=not column["nullable"]))
    classes = [ColSpec(DataType.double, name) for name in schema["target"]["classes"]]
    return ModelSignature(Schema(inputs), Schema([ColSpec(DataType.string, "prediction"), *classes]))


class _PackagePyfunc:
    """A package as a pyfunc model: `predict` returns the class and all probabilities of each row."""

    def __init__(self, package: Package) -> None:
        self._package = package

    def predict(
        self,
        model_input: pd.DataFrame,
        params: dict[str, Any] | None = None,  # noqa: ARG002 - MLflow's signature
    ) -> pd.DataFrame:
        import pandas as pd

        columns = {name: model_input.get(name) for name in self._package.schema.feature_names}
        absent = pd.array([None] * len(model_input), dtype="object")
        frame = pd.DataFrame(
            {name: absent if values is None else values for name, values in columns.items()}, index=model_input.index
        )
        probabilities = self._package.predict_proba(frame)
        predictions: dict[str, Any] = {"prediction": self._package.predict(frame)}
        predictions |= {name: probabilities[:, at] for at, name in enumerate(self._package.classes)}
        return pd.DataFrame(predictions, index=model_input.index)


def _load_pyfunc(path: str) -> _PackagePyfunc:
    """Load a package for MLflow and verify its digests."""
    from pipeline import package

    return _PackagePyfunc(package.load_package(Path(path)))


def save_estimator(estimator: Any, folder: Path, *, example: pd.DataFrame | None, signature: Any) -> str:
    """Write a scikit-learn estimator as an MLflow model; return its serialization format.

    The format is skops with the types of the estimator, or cloudpickle if skops cannot write it. The
    requirements are explicit, because MLflow takes five seconds to infer them.
    """
    trusted = _untrusted_types(estimator)
    family = type(estimator).__module__.partition(".")[0]
    extra = [_EXTRA_REQUIREMENTS[family]] if family in _EXTRA_REQUIREMENTS else []
    with suppress_warnings():
        from mlflow import sklearn

        sklearn.save_model(
            estimator,
            str(folder),
            serialization_format="cloudpickle" if trusted is None else "skops",
            skops_trusted_types=trusted,
            signature=signature if signature is not None else _infer_signature(estimator, example),
            pip_requirements=_pin_versions((*_ESTIMATOR_REQUIREMENTS, *extra)),
        )
    return "cloudpickle" if trusted is None else "skops"


def _untrusted_types(estimator: Any) -> list[str] | None:
    """Return the types that skops does not trust by default; None if skops cannot write and read the estimator."""
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
    # Called within `suppress_warnings`: it warns of nullable integers, which accept any type below.
    signature = infer_signature(example, estimator.predict(example.astype(_float_dtypes(example))))
    nullable_types = {DataType.long, DataType.integer, DataType.boolean}
    if not signature.inputs.has_input_names():
        return signature
    inputs = [
        ColSpec(types.AnyType(), column.name, required=False)  # type: ignore[no-untyped-call]
        if column.type in nullable_types and not column.required
        else column
        for column in signature.inputs.inputs
    ]
    return ModelSignature(Schema(inputs), signature.outputs)


def _float_dtypes(example: pd.DataFrame) -> dict[Any, str]:
    """Return the nullable numeric columns with a type that every estimator accepts."""
    return {name: "float64" for name, dtype in example.dtypes.items() if str(dtype) in ("Int64", "Float64")}


def _write_environment(folder: Path, packages: tuple[str, ...]) -> None:
    from platform import python_version

    requirements = "".join(f"{line}\n" for line in _pin_versions(packages))
    (folder / "requirements.txt").write_text(requirements, encoding="utf-8")
    environment = {"python": python_version(), "dependencies": ["-r requirements.txt"]}
    (folder / "python_env.yaml").write_text(yaml.safe_dump(environment), encoding="utf-8")


def _pin_versions(packages: tuple[str, ...]) -> list[str]:
    return [f"{name}=={version(name)}" for name in packages]
