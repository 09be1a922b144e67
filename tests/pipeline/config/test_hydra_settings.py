"""Below `hydra` only listed settings with listed values are accepted, wherever they are written."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pipeline.config.composition import check_hydra_overrides, compose
from pipeline.errors import TargetRefused

REPOSITORY = Path(__file__).parents[3]

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
    "sweep: {dir: '${hydra.help.app_name}'}",
    "sweep: {dir: 'outputs/${hydra.sweeper.params.x}'}",
    "job: {name: ../../x}",
    "job: {name: ''}",
    "job: {config: {override_dirname: {kv_sep: /../../}}}",
    "sweeper: {params: {hydra.job.env_set.PATH: '/tmp'}}",
    "sweeper: {params: {'++hydra.job_logging.handlers.x': '{class: logging.FileHandler, filename: x}'}}",
    "sweeper: {params: {hydra/job_logging: default}}",
    "sweeper: {params: {hydra: {searchpath: ['file:///tmp']}}}",
    "sweeper: {params: {'+model@hydra.job': knn}}",
    "sweeper: {params: ['hydra.searchpath=[file:///tmp]']}",
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
def test_only_listed_settings_are_accepted_below_hydra(project: Path, place: str, settings: str) -> None:
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
    "overrides",
    [
        ["experiment=balanced_linear,foreign"],
        ["experiment=glob(*)"],
        ["hparams_search=foreign"],
        ["hparams_search=choosing_foreign"],
        ["+model@hydra.job.env_set=knn,svm"],
    ],
)
def test_every_option_that_a_sweep_names_is_checked(project: Path, overrides: list[str]) -> None:
    conf = project / "conf"
    (conf / "experiment/foreign.yaml").write_text("# @package hydra.job.env_set\nHOME: /tmp\n", encoding="utf-8")
    for name, option in (("foreign", "foreign"), ("choosing_foreign", "choice(balanced_linear, foreign)")):
        (conf / f"hparams_search/{name}.yaml").write_text(
            f"# @package _global_\nhydra: {{sweeper: {{params: {{experiment: '{option}'}}}}}}\n", encoding="utf-8"
        )
    with pytest.raises(TargetRefused, match=r"hydra\.job\.env_set\.\w+: is not a setting here"):
        check_hydra_overrides(overrides, conf=conf)


def test_a_sweep_over_options_of_the_project_is_accepted(project: Path) -> None:
    check_hydra_overrides(["model=knn,svm", "hparams_search=random_forest", "seed=1,2"], conf=project / "conf")
