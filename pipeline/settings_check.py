"""Ask every stage, without rows, whether it accepts its settings: each function here is called by the stage as well."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.data.sources import check_source
from pipeline.data.splitters import check_split
from pipeline.errors import ConfigError, MlopsError
from pipeline.evaluation import check_evaluation, evaluated_metrics
from pipeline.fairness import check_fairness
from pipeline.gates import check_promotion
from pipeline.modeling.dry_fit import check_fit
from pipeline.modeling.training import check_training
from pipeline.schema import Schema
from pipeline.schema.pandera_schema import pandera_schema
from pipeline.serving.http.loopback import check_bind_address

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pipeline.config.root_config import Config

__all__ = ["check_settings"]


def check_settings(config: Config, *, root: Path = Path()) -> None:
    """Refuse typed settings that a stage or the server would refuse, whatever the rows are.

    Parameters
    ----------
    config : Config
    root : Path
        Project in which the declared file of rows is looked for.

    Raises
    ------
    ConfigError
        With the words of each stage, one line for each refusal.
    MlopsError
        Of the class that the stage raises, when there is one refusal.
    """
    found = [error for check in _checks(config, root) if (error := _refusal(check)) is not None]
    refusals = list({str(error): error for error in found}.values())  # two stages may refuse the same setting
    if len(refusals) == 1:
        raise refusals[0]
    if refusals:
        raise ConfigError("\n".join(str(error) for error in refusals))


def _refusal(check: Callable[[], object]) -> MlopsError | None:
    try:
        check()
    except MlopsError as error:
        return error
    return None


def _checks(config: Config, root: Path) -> Iterator[Callable[[], object]]:
    """Yield the checks in the order of the stages; those of a schema that is refused are left out."""
    data, training = config.data, config.training
    schema: list[Schema] = []
    yield lambda: schema.append(Schema.from_config(data))
    if schema:
        yield lambda: check_source(data, schema[0], root=root)
        yield lambda: pandera_schema(schema[0])
        yield lambda: check_fairness(config.fairness, schema[0])
        yield lambda: check_training(training, schema[0].target)
        fit: dict[str, Any] = {
            "model": config.model,
            "training": training,
            "seed": config.seed,
            "fairness": config.fairness,
        }
        yield lambda: check_fit(schema[0], config.features, **fit)
    yield lambda: check_split(data.split)
    yield lambda: check_evaluation(config.evaluation)
    yield lambda: check_promotion(config.promotion, evaluated_metrics(config.evaluation, training.selection_metric))
    yield lambda: check_bind_address(config.serving.host, is_protected=config.serving.authentication == "required")
