"""Write models in MLflow's folder format, for its loader, scoring server and registry."""

from __future__ import annotations

import shutil
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import yaml

from pipeline import files
from pipeline.errors import UsageError
from pipeline.tracking.model_code import model_code
from pipeline.tracking.run_store import suppress_warnings

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

    from pipeline.tracking.model_code import ModelCode

__all__ = ["PACKAGE_REQUIREMENTS", "estimator_type", "mlflow_signature", "save_estimator", "save_package"]

PACKAGE_REQUIREMENTS = (
    *("mlflow", "numpy", "onnx", "onnxruntime", "pandas", "pyarrow", "pydantic", "pyyaml"),
    *("scikit-learn", "scipy", "skops"),
)
_ESTIMATOR_REQUIREMENTS = ("cloudpickle", "numpy", "pandas", "scikit-learn", "scipy", "skops")
_EXTRA_REQUIREMENTS = {"lightgbm": "lightgbm", "xgboost": "xgboost", "catboost": "catboost"}
_CODE_FOLDER = "code"
_CLASSIFIER_FILE = "classifier.skops"
_N_EXAMPLE_ROWS = 5


def save_package(package: Path, folder: Path) -> str:
    """Write a model package as an MLflow model, which needs only the requirements that it lists.

    - `package/` is the package, `code/` the modules that predict.
    - `classifier.skops` contains the files that predict, verified whenever they are loaded. MLflow's scikit-learn
      flavor reads it.

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
    code = model_code()
    code.write(folder / _CODE_FOLDER)
    requirements = (*PACKAGE_REQUIREMENTS, *_write_classifier(package, folder / _CLASSIFIER_FILE, code))
    with suppress_warnings():
        import sklearn
        from mlflow import pyfunc
        from mlflow.models import Model

        model = Model(
            signature=mlflow_signature(schema),
            metadata={"package_digest": files.sha256_file(package / "manifest.json")},
            saved_input_example_info=_write_example(package, folder, schema),
        )
        pyfunc.add_to_model(
            model,
            loader_module="mlflow.sklearn",
            code=_CODE_FOLDER,
            conda_env="conda.yaml",
            python_env="python_env.yaml",
            model_path=_CLASSIFIER_FILE,
            # It returns classes and probabilities; `predict` of scikit-learn returns classes only.
            predict_fn="predict_proba",
        )
        model.add_flavor(
            "sklearn",
            code=_CODE_FOLDER,
            pickled_model=_CLASSIFIER_FILE,
            serialization_format="skops",
            skops_trusted_types=[f"{code.module}.LoggedClassifier"],
            sklearn_version=sklearn.__version__,
        )
        _write_environment(folder, requirements)
        model.save(str(folder / "MLmodel"))
    return "package"


def _write_classifier(package: Path, path: Path, code: ModelCode) -> tuple[str, ...]:
    """Write the classifier of a package by skops, and return the libraries that its estimator needs."""
    import skops.io

    from pipeline.package.logged_classifier import LoggedClassifier

    has_onnx = (package / "model.onnx").is_file()
    contents = {name: (package / name).read_bytes() for name in LoggedClassifier.file_names(has_onnx=has_onnx)}
    # skops writes the module of a class, which is another one where the model is loaded.
    shipped_class = type("LoggedClassifier", (LoggedClassifier,), {"__module__": code.module})
    skops.io.dump(shipped_class(contents), path)
    estimator_types = contents.get("model.skops", b"")
    return tuple(library for name, library in _EXTRA_REQUIREMENTS.items() if f'"{name}.'.encode() in estimator_types)


def _write_example(package: Path, folder: Path, schema: dict[str, Any]) -> dict[str, str]:
    """Write golden rows as the input example, in the order of the signature, and return how MLflow finds it."""
    columns = files.read_json(package / "golden.json")["columns"]  # sorted, as every key of a package
    names = [column["name"] for column in schema["columns"] if column["name"] in columns]
    rows = [list(row) for row in zip(*(columns[name] for name in names), strict=True)][:_N_EXAMPLE_ROWS]
    example = {"columns": names, "data": rows}
    files.write_json(folder / "input_example.json", example)
    files.write_json(folder / "serving_input_example.json", {"dataframe_split": example})
    return {
        "artifact_path": "input_example.json",
        "type": "dataframe",
        "pandas_orient": "split",
        "serving_input_path": "serving_input_example.json",
    }


def mlflow_signature(schema: dict[str, Any]) -> Any:
    """Return the MLflow signature of a declared schema.

    MLflow rejects integer and boolean columns with missing values of any kind (float with NaN, nullable
    integers, objects). The signature declares such columns optional and of any type; our encoder accepts
    all of these types and checks the values.
    """
    from mlflow.models.signature import ModelSignature
    from mlflow.types import ColSpec, DataType, ParamSchema, ParamSpec, Schema
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
    outputs = Schema([ColSpec(DataType.string, "prediction"), *classes])
    params = ParamSchema([ParamSpec("output", DataType.string, "all")])
    return ModelSignature(Schema(inputs), outputs, params)


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
            input_example=None if example is None else example.head(_N_EXAMPLE_ROWS),
            pip_requirements=_pin_versions((*_ESTIMATOR_REQUIREMENTS, *extra)),
        )
    return "cloudpickle" if trusted is None else "skops"


def estimator_type(estimator: Any) -> str | None:
    """Return the type of a scikit-learn estimator, such as `classifier`; None where it has none."""
    from sklearn.utils import get_tags

    name: str | None = get_tags(estimator).estimator_type
    return name


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

    pins = _pin_versions(packages)
    (folder / "requirements.txt").write_text("".join(f"{line}\n" for line in pins), encoding="utf-8")
    environments = {
        "python_env.yaml": {"python": python_version(), "dependencies": ["-r requirements.txt"]},
        "conda.yaml": {
            "name": "mlflow-env",
            "channels": ["conda-forge"],
            "dependencies": [f"python={python_version()}", "pip", {"pip": pins}],
        },
    }
    for name, environment in environments.items():
        (folder / name).write_text(yaml.safe_dump(environment), encoding="utf-8")


def _pin_versions(packages: tuple[str, ...]) -> list[str]:
    return [f"{name}=={version(name)}" for name in packages]
