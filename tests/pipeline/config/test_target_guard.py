"""No setting can name code that is built or run, except an estimator under `model.estimator`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pipeline.config.composition import check_hydra_overrides, compose
from pipeline.config.target_guard import check_overrides, check_targets
from pipeline.errors import ConfigError, TargetRefused

if TYPE_CHECKING:
    from tests.fixtures.cli import CliRunner

REPOSITORY = Path(__file__).parents[3]

HOSTILE = [
    "pandas.read_pickle",
    "joblib.load",
    "numpy.load",
    "os.system",
    "logging.os.system",
    "subprocess.Popen",
    "builtins.eval",
    "sklearn",
    "sklearn..os",
    "sklearn.linear_model.LogisticRegression; os",
    "sklearn_evil.Thing",
    " os.system",
    "",
    7,
    ["os.system"],
]


def _places(target: object) -> list[dict[str, Any]]:
    call = {"_target_": target, "_args_": ["touch ran"]}
    plain = {"_target_": target}
    voting = {"_target_": "sklearn.ensemble.VotingClassifier"}
    return [
        {"model": {"estimator": plain}},
        {"model": {"estimator": {**voting, "estimators": {"a": plain}}}},
        {"model": {"estimator": {**voting, "estimators": [["a", plain]]}}},
        {"model": {"estimator": {**plain, "_partial_": True}}},
        {"model": {"estimator": call}},
        {"data": {"source": plain}},
        {"seed": plain},
        {"training": {"threshold": [{"deep": [plain]}]}},
    ]


@pytest.mark.parametrize("target", HOSTILE, ids=str)
@pytest.mark.parametrize("place", range(8))
def test_a_hostile_target_is_refused_at_every_place(target: object, place: int) -> None:
    with pytest.raises(TargetRefused, match=r"^params\.yaml: (model|data|seed|training)[\w.]*\._"):
        check_targets(_places(target)[place], place="params.yaml")


def test_an_estimator_with_nested_members_is_accepted() -> None:
    member = {"_target_": "sklearn.linear_model.LogisticRegression", "C": 1.0}
    voting = {"_target_": "sklearn.ensemble.VotingClassifier", "estimators": {"a": member}}
    check_targets({"model": {"estimator": voting}}, place="params.yaml")


@pytest.mark.parametrize(
    "override",
    [
        "model.estimator._target_=os.system",
        "+model.estimator.x={_target_: pandas.read_pickle, filepath_or_buffer: x.pkl}",
        "+data.source.x._target_=joblib.load",
        "+seed2._target_=logging.os.system",
        "+model.estimator._partial_=true",
        "+model.estimator._args_=[1]",
        "++model.estimator={_target_: sklearn.ensemble.VotingClassifier, estimators: [[a, {_target_: os.system}]]}",
    ],
)
def test_a_hostile_target_by_override_is_refused(override: str) -> None:
    with pytest.raises(ConfigError):
        compose([override], conf=REPOSITORY / "conf")


@pytest.mark.parametrize(
    "override",
    [
        "+hydra.searchpath=[file:///tmp]",
        "++hydra.searchpath=[team]",
        "~hydra.searchpath",
        "hydra.run.dir=/tmp/x",
        "+hydra.callbacks.x._target_=os.system",
        "hydra/job_logging=none",
        "hydra.job_logging.handlers.console.class=os.system",
        "~hydra",
        "hydra={}",
        "+hydra.job.env_set.PATH=/tmp",
    ],
)
def test_the_settings_of_hydra_are_closed_to_overrides(override: str) -> None:
    with pytest.raises(ConfigError, match="is not open to overrides"):
        check_overrides([override])


@pytest.mark.parametrize(
    "override",
    [
        "hydra.launcher._target_=os.system",
        "+hydra.launcher.x._target_=os.system",
        "hydra.sweeper._target_=subprocess.Popen",
        "+hydra.sweeper.sampler={_target_: pandas.read_pickle}",
    ],
)
def test_a_hostile_launcher_or_sweeper_is_refused(override: str) -> None:
    with pytest.raises(ConfigError):
        check_hydra_overrides([override], conf=REPOSITORY / "conf")


@pytest.mark.parametrize(
    "override", ["hydra/launcher=joblib", "hydra/sweeper=optuna", "hydra.sweep.dir=outputs/x", "seed=1,2"]
)
def test_the_launchers_and_sweepers_of_hydra_are_accepted(override: str) -> None:
    check_hydra_overrides([override], conf=REPOSITORY / "conf")


@pytest.mark.usefixtures("starts_processes")
def test_no_hostile_target_runs_from_the_command_line(tmp_path: Path, run_cli: CliRunner) -> None:
    ran = tmp_path / "ran"
    words = [f"+model.estimator.x={{_target_: os.system, command: 'touch {ran}'}}"]
    for call in (["config", "check", *words], ["config", "show", *words]):
        run = run_cli(*call, cwd=REPOSITORY)
        assert (run.exit_code, ran.exists()) == (3, False)


@pytest.mark.parametrize(
    "value",
    [
        "s3://key:pa55@rows/a.csv",  # pragma: allowlist secret
        "[data/external/a.csv,s3://key:pa55@rows/a.csv]",  # pragma: allowlist secret
        "'az://rows/a.csv?sv=1&sig=pa55'",
        "'s3://rows/a.csv?AWSAccessKeyId=a&Signature=pa55'",
        "'s3://rows/a.csv?X-Amz-Security-Token=pa55'",
        "postgresql://me:pa55@host/name",  # pragma: allowlist secret
    ],
)
def test_an_address_with_a_secret_is_refused_and_not_repeated(value: str) -> None:
    with pytest.raises(ConfigError, match=r"^data\.source\.path: looks like a secret") as caught:
        check_overrides([f"data.source.path={value}"])
    assert "pa55" not in str(caught.value)


@pytest.mark.parametrize("value", ["s3://rows/a@b:c.csv", "http://host:5000/a?b=1", "data/external/a.csv"])
def test_an_address_without_a_secret_is_accepted(value: str) -> None:
    check_overrides([f"data.source.path={value}"])


@pytest.mark.parametrize("key", ["password", "+tracking.token", "++alerts.webhook.api_key", "serving.oidc.secret"])
def test_a_secret_among_the_overrides_is_refused_and_not_repeated(key: str) -> None:
    with pytest.raises(ConfigError, match="looks like a secret") as caught:
        check_overrides([f"{key}=hunter2"])
    assert "hunter2" not in str(caught.value)


def test_the_name_of_an_environment_variable_is_accepted() -> None:
    check_overrides(["tracking.uri_env=OTHER", "data.source.url_env=ROWS"])
