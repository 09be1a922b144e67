"""`mlops extensions`: list the declared extensions, and what identifies each."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import typer

from pipeline.cli.shared_options import AsJson  # noqa: TC001 - typer reads it
from pipeline.cli.terminal_output import print_table
from pipeline.files import canonical_json

if TYPE_CHECKING:
    from pipeline.extensions import Extension

__all__ = ["extensions"]

_HEAD = ("extension", "modules", "packages of estimators", "identity")


def extensions(*, as_json: AsJson = False) -> None:
    """Load the declared extensions, and list them."""
    from pipeline.config.config_loader import load_params
    from pipeline.extensions import load_extensions
    from pipeline.project import paths
    from pipeline.project.engine_files import stage_command
    from pipeline.project.root import find_project_root

    root = find_project_root()
    loaded = load_extensions(load_params(root / paths.PARAMS).extensions, root=root)
    if as_json:
        typer.echo(canonical_json([asdict(extension) for extension in loaded]), nl=False)
    elif loaded:
        print_table(_HEAD, [_extension_row(extension) for extension in loaded])
    else:
        typer.echo(
            f"{paths.PARAMS} declares no extension; list a module such as extensions.cost, or a distribution such as"
            f" acme-metrics==1.2.0, in `extensions` of conf/config.yaml, then run `{stage_command('compose')}`"
        )


def _extension_row(extension: Extension) -> tuple[str, ...]:
    version = f"version {extension.declaration.partition('==')[2]}"
    identity = version if extension.sha256 is None else f"sha256 {extension.sha256[:12]}"
    return extension.declaration, ", ".join(extension.modules), ", ".join(extension.packages), identity
