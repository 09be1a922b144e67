"""No setting can name code that is built or run, except an estimator under `model.estimator`."""

from __future__ import annotations

import re
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
        "hydra.searchpath=[file:///tmp]",
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


HOSTILE_SETTINGS = [
    "job: {env_set: {MLFLOW_TRACKING_URI: 'http://127.0.0.1:1'}}",
    "job: {env_copy: [AWS_SECRET_ACCESS_KEY]}",
    "job: {override_dirname: '${oc.env:HOME}'}",
    "job: {chdir: true}",
    "job: {config_name: other}",
    "searchpath: ['file:///tmp']",
    "searchpath: ['pkg://evil']",
    "callbacks: {more: {_target_: pipeline.sweeps.hydra_callback.SweepCallback}}",
    "callbacks: {sweep: {_target_: hydra.experimental.callbacks.LogJobReturnCallback}}",
    "callbacks: {sweep: {_target_: pipeline.sweeps.hydra_callback.SweepCallback, more: 1}}",
    "launcher: {_target_: os.system}",
    "launcher: {_target_: hydra_plugins.other.Launcher}",
    "launcher: {_args_: [ls]}",
    "launcher: {command: {_target_: os.system}}",
    "sweeper: {_target_: subprocess.Popen}",
    "sweeper: {sampler: {_target_: pandas.read_pickle}}",
    "sweeper: {storage: 'postgresql://example.org/x'}",
    "sweeper: {custom_search_space: os.system}",
    "output_subdir: outputs",
    "output_subdir: /tmp/x",
    "run: {dir: /tmp/x}",
    "run: {dir: outputs}",
    "sweep: {dir: /tmp/x}",
    "sweep: {dir: ../x}",
    "sweep: {dir: '~/x'}",
    "sweep: {dir: 'outputs/${oc.env:HOME}'}",
    "sweep: {subdir: ../../x}",
    "job_logging: {handlers: {console: {class: logging.FileHandler, filename: x.log}}}",
    "job_logging: {handlers: {console: {class: logging.handlers.HTTPHandler}}}",
    "job_logging: {handlers: {console: {'()': os.system}}}",
    "job_logging: {formatters: {simple: {format: '${oc.env:HOME}'}}}",
    "job_logging: {formatters: {simple: {class: os.system}}}",
    "job_logging: {filters: {x: {'()': os.system}}}",
    "hydra_logging: {loggers: {x: {handlers: ['ext://os']}}}",
    "help: {app_name: '${oc.env:HOME}'}",
    "env: {x: 1}",
    "more: 1",
]


@pytest.mark.parametrize("settings", HOSTILE_SETTINGS)
@pytest.mark.parametrize("place", ["config.yaml", "hydra/default.yaml", "experiment/balanced_linear.yaml"])
def test_what_may_stand_below_hydra_is_a_list(project: Path, place: str, settings: str) -> None:
    file = project / "conf" / place
    content = file.read_text(encoding="utf-8")
    if place == "hydra/default.yaml":
        key = settings.partition(":")[0]
        content = re.sub(rf"(?m)^{key}:.*\n(^ +.*\n)*", "", content) + f"{settings}\n"
    else:
        content += f"\nhydra: {{{settings}}}\n"
    file.write_text(content, encoding="utf-8")
    with pytest.raises(TargetRefused, match=rf"^conf/{place}: hydra\.{settings.partition(':')[0]}"):
        compose((), conf=project / "conf")


@pytest.mark.parametrize(
    ("place", "text"),
    [
        ("model/knn.yaml", "# @package hydra.job\nenv_set: {HOME: /tmp}\n"),
        ("scenario/calm.yaml", "# @package _global_\nhydra: {searchpath: ['file:///tmp']}\n"),
        ("hydra/default.yaml", "defaults:\n  - override hydra_logging: none\n  - override job_logging: default\n"),
    ],
)
def test_settings_of_hydra_by_package_or_option_are_refused(project: Path, place: str, text: str) -> None:
    (project / "conf" / place).write_text(text, encoding="utf-8")
    with pytest.raises(TargetRefused, match=r"hydra\."):
        compose(["model=knn"], conf=project / "conf")


@pytest.mark.parametrize(
    "override", ["hydra.sweep.dir=/tmp/x", "hydra.sweeper.storage=sqlite:///x.db", "hydra.launcher.temp_folder=/tmp"]
)
def test_open_overrides_of_hydra_have_accepted_values_too(override: str) -> None:
    more = ["hydra/sweeper=optuna", "hydra/launcher=joblib"]
    with pytest.raises(TargetRefused, match="is not accepted; expected"):
        check_hydra_overrides([*more, override], conf=REPOSITORY / "conf")


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


@pytest.mark.parametrize("key", ["password", "+tracking.token", "++alerts.webhook.api_key", "serving.oidc.secret"])
def test_a_secret_among_the_overrides_is_refused_and_not_repeated(key: str) -> None:
    with pytest.raises(ConfigError, match="looks like a secret") as caught:
        check_overrides([f"{key}=hunter2"])
    assert "hunter2" not in str(caught.value)


def test_the_name_of_an_environment_variable_is_accepted() -> None:
    check_overrides(["tracking.uri_env=OTHER", "data.source.url_env=ROWS"])
