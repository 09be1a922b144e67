"""`mlops config`: validate settings, print the composed settings, find where a value comes from."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline.cli.shared_options import AsJson  # noqa: TC001 - typer reads it
from pipeline.errors import ConfigError, MlopsError, UsageError, did_you_mean
from pipeline.files import canonical_json
from pipeline.project import paths

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["app"]

app = typer.Typer(help="Validate settings and find where their values come from.", no_args_is_help=True)

OverridesArgument = Annotated[list[str] | None, typer.Argument(help="Overrides such as model=random_forest seed=7.")]


@app.command()
def check(
    what: Annotated[
        list[str] | None,
        typer.Argument(help="Composed files or conf/ folders, each validated alone; or overrides, validated together."),
    ] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Validate conf/ (with overrides), or any number of composed files and conf/ folders.

    Without arguments, data/external/ is also searched for undeclared files, and params.yaml is compared with
    the settings that conf/ composes.
    """
    words = what or []
    overrides = [word for word in words if "=" in word or word.startswith("~")]
    given = [Path(word) for word in words if word not in overrides]
    if overrides and given:
        raise UsageError("mlops config check: pass files and folders, or overrides, not both")
    results = [_check_path(path, overrides) for path in given or [paths.CONF]]
    if not words and results[0]["ok"]:
        results += [_check_external_folder(), _check_params_file()]
    if as_json:
        typer.echo(canonical_json(results), nl=False)
    else:
        for result in results:
            typer.echo(f"{'ok     ' if result['ok'] else 'invalid'} {result['path']}")
    messages = [result["message"] for result in results if not result["ok"]]
    if messages:
        raise ConfigError("\n".join(messages))


def _check_path(path: Path, overrides: list[str]) -> dict[str, Any]:
    from pipeline.config.composition import compose
    from pipeline.config.config_loader import build_config, load_params
    from pipeline.settings_check import check_settings

    def validate() -> None:
        if path.is_dir():
            composition = compose(overrides, conf=path)
            config = build_config(composition.values, where=f"{path}/config.yaml", origin=composition.origin)
            check_settings(config, root=path.parent)
            return
        config = load_params(path)
        try:
            check_settings(config, root=path.parent)
        except MlopsError as error:
            raise ConfigError(f"{path}: {error}") from error

    return _check_result(str(path), validate)


def _check_external_folder() -> dict[str, Any]:
    from pipeline.config.declared_files import check_declared_files

    return _check_result(str(paths.EXTERNAL), lambda: check_declared_files(Path()))


def _check_params_file() -> dict[str, Any]:
    from pipeline.config.params_file import check_params_fresh

    return _check_result(str(paths.PARAMS), lambda: check_params_fresh(Path()))


def _check_result(path: str, check: Callable[[], None]) -> dict[str, Any]:
    try:
        check()
    except MlopsError as error:
        return {"path": path, "ok": False, "message": str(error)}
    return {"path": path, "ok": True, "message": None}


@app.command()
def show(overrides: OverridesArgument = None, *, as_json: AsJson = False) -> None:
    """Print the settings that conf/ composes, with overrides."""
    from pipeline.config.composition import compose

    composition = compose(overrides or [])
    typer.echo(canonical_json(composition.values) if as_json else composition.text, nl=False)


@app.command()
def why(
    key: Annotated[str, typer.Argument(help="Key path such as drift.alpha, or a prefix of one.")],
    overrides: OverridesArgument = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Show where the value of a setting comes from: its file, and the override if there is one."""
    from dataclasses import asdict

    from pipeline.config.composition import compose

    origin = compose(overrides or []).origin()
    entries = [entry for entry in origin if entry.key == key or entry.key.startswith(f"{key}.")]
    if not entries:
        known = {entry.key for entry in origin}
        raise ConfigError(f"{key}: no such setting{did_you_mean(key, known)}; see `mlops config show`")
    if as_json:
        typer.echo(canonical_json([asdict(entry) for entry in entries]), nl=False)
        return
    for entry in entries:
        override = f", changed by {entry.override}" if entry.override is not None else ""
        typer.echo(f"{entry.key} = {entry.value!r}: {entry.file or 'no file'}{override}")
