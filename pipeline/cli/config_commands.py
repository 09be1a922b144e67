"""Commands about settings: whether they hold, where a value comes from, and what they come to."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from pipeline.errors import ConfigError, UsageError, did_you_mean
from pipeline.files import canonical_json
from pipeline.project import paths

__all__ = ["app"]

app = typer.Typer(help="Check settings and ask where they come from.", no_args_is_help=True)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
OverridesArgument = Annotated[list[str] | None, typer.Argument(help="Overrides such as model=random_forest seed=7.")]


@app.command()
def check(
    what: Annotated[
        list[str] | None,
        typer.Argument(help="Composed files or conf/ folders, each checked by itself; or overrides, checked together."),
    ] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Check conf/ (with overrides), or any number of composed files and conf/ folders.

    Without arguments also params.yaml is compared with what conf/ composes to.
    """
    words = what or []
    overrides = [word for word in words if "=" in word or word.startswith("~")]
    given = [Path(word) for word in words if word not in overrides]
    if overrides and given:
        raise UsageError("mlops config check: takes files and folders, or overrides, not both at once")
    results = [_check_path(path, overrides) for path in given or [paths.CONF]]
    if not words and results[0]["ok"]:
        results.append(_check_params_file())
    if as_json:
        typer.echo(canonical_json(results), nl=False)
    else:
        for result in results:
            typer.echo(f"{'ok     ' if result['ok'] else 'refused'} {result['path']}")
    refused = [result["message"] for result in results if not result["ok"]]
    if refused:
        raise ConfigError("\n".join(refused))


def _check_path(path: Path, overrides: list[str]) -> dict[str, Any]:
    from pipeline.config.composition import compose
    from pipeline.config.config_loader import build_config, load_params

    def work() -> None:
        if path.is_dir():
            composition = compose(overrides, conf=path)
            build_config(composition.values, where=f"{path}/config.yaml", origin=composition.origin)
        else:
            load_params(path)

    return _check_result(str(path), work)


def _check_params_file() -> dict[str, Any]:
    from pipeline.config.params_file import check_params_fresh

    return _check_result(str(paths.PARAMS), lambda: check_params_fresh(Path()))


def _check_result(path: str, check: Any) -> dict[str, Any]:
    try:
        check()
    except ConfigError as error:
        return {"path": path, "ok": False, "message": str(error)}
    return {"path": path, "ok": True, "message": None}


@app.command()
def show(overrides: OverridesArgument = None, *, as_json: AsJson = False) -> None:
    """Print what conf/ composes to, with overrides."""
    from pipeline.config.composition import compose

    composition = compose(overrides or [])
    typer.echo(canonical_json(composition.values) if as_json else composition.text, nl=False)


@app.command()
def why(
    key: Annotated[str, typer.Argument(help="A key path such as drift.alpha, or the beginning of one.")],
    overrides: OverridesArgument = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Say where the value of a setting comes from: its file, and the override on top."""
    from dataclasses import asdict

    from pipeline.config.composition import compose

    origin = compose(overrides or []).origin()
    found = [entry for entry in origin if entry.key == key or entry.key.startswith(f"{key}.")]
    if not found:
        known = {entry.key for entry in origin}
        raise ConfigError(f"{key}: no setting has this name{did_you_mean(key, known)}; see `mlops config show`")
    if as_json:
        typer.echo(canonical_json([asdict(entry) for entry in found]), nl=False)
        return
    for entry in found:
        over = f", changed by {entry.override}" if entry.override is not None else ""
        typer.echo(f"{entry.key} = {entry.value!r}: {entry.file or 'no file'}{over}")
