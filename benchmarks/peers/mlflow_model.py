"""Save the model as `mlflow models serve` wants it, with all probabilities as its answer."""

import joblib
import mlflow.sklearn

mlflow.sklearn.save_model(
    joblib.load("model.joblib"),
    "mlflow_model",
    pyfunc_predict_fn="predict_proba",
    serialization_format="cloudpickle",
    pip_requirements=["scikit-learn"],
)
