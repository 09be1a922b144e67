"""The configuration page: settings by group, their origin to the line, and what differs from defaults or production."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import streamlit as st

from pipeline.config.composition import flatten_settings
from pipeline.config.default_settings import changed_defaults
from pipeline.config.setting_lines import setting_lines
from pipeline.config.strict_yaml import read_yaml
from pipeline.errors import DataError
from pipeline.project import paths
from pipeline.text import pluralize, shorten
from pipeline.tracking.projection import logged_params

from ... import address, formatting, html_table, links, page, queries
from . import settings_file_panel

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pipeline.config.composition import Composition, Origin

__all__ = ["render"]

_MAX_PARAM_LENGTH = 6000
_ALL, _OVERRIDDEN, _PRODUCTION = "all", "overridden", "production"
_PROJECT, _GENERATOR = "project", "data.profile"
_NOT_SET = "(not set)"
# What decides about the model comes first, the weights of the generator of synthetic rows last.
_GROUP_ORDER = (
    _PROJECT, "model", "training", "features", "evaluation", "fairness", "promotion", "monitoring", "drift", "alerts",
    "serving", "stream", "lifecycle", "validation", "tracking", "engine", "data", _GENERATOR,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Setting:
    """One row: a setting, what it is compared with, and the place that sets it."""

    key: str
    value: str
    compared: str | None
    place: html_table.Link | str

    @property
    def group(self) -> str:
        """The group of conf/, or `project` for the keys of `conf/config.yaml`."""
        if self.key.startswith(f"{_GENERATOR}."):
            return _GENERATOR
        return self.key.partition(".")[0] if "." in self.key or self.key in _GROUP_ORDER else _PROJECT

    def matches(self, text: str) -> bool:
        """Return whether key, value or place contain a text."""
        return text in f"{self.key} {self.value} {self.compared or ''} {self.place}".lower()


def render() -> None:
    """Show the page."""
    page.render_page("Configuration", "Settings, their origin, and what differs from defaults and production.", _body)


def _body() -> None:
    composed, origin = queries.composition()
    values, files = st.tabs(["Settings", "YAML"], key="configuration_tab", bind="query-params")
    with values:
        _warn_if_stale(composed)
        settings_file_panel.show_requested_file({entry.file for entry in origin if entry.file is not None})
        page.error_boundary(lambda: _show_settings(composed, origin))
    with files:
        st.caption("Output of `mlops config show`; `dvc repro` writes it to `params.yaml`.")
        st.code(composed.text, language="yaml")


def _show_settings(composed: Composition, origin: Sequence[Origin]) -> None:
    n_changed = len(changed_defaults(composed))
    labels = {
        _ALL: f"All ({len(origin):,})",
        _OVERRIDDEN: f"Overridden ({n_changed:,})",
        _PRODUCTION: "Different from production",
    }
    shown = address.choose(
        st.segmented_control,
        list(labels),
        parameter="show",
        key="config_show",
        default=_ALL,
        format_func=labels.__getitem__,
        label="Settings",
        label_visibility="collapsed",
    )
    query = st.text_input(
        "Search",
        key="config_search",
        bind="query-params",
        placeholder="A key, a value or a file",
        icon=":material/search:",
    )
    settings, title = _settings_of(shown, composed, origin)
    text = query.strip().lower()
    matches = [setting for setting in settings if setting.matches(text)]
    group = _select_group(matches)
    _show_groups([setting for setting in matches if group in (_ALL, setting.group)], title, is_open=bool(text))


def _settings_of(shown: str, composed: Composition, origin: Sequence[Origin]) -> tuple[list[_Setting], str | None]:
    """Return the settings to show, and the title of the values that they are compared with."""
    place_of = _places(composed, origin)
    if shown == _PRODUCTION:
        return _changes_since_production(composed, place_of)
    if shown == _OVERRIDDEN:
        st.caption("Settings that differ from the defaults of the engine. Declarations of `data/` have no default.")
        changed = [
            _Setting(
                entry.key,
                formatting.setting_text(entry.value),
                formatting.setting_text(entry.default) if entry.has_default else _NOT_SET,
                place_of(entry.key),
            )
            for entry in changed_defaults(composed)
        ]
        return changed, "Default"
    return [
        _Setting(entry.key, formatting.setting_text(entry.value), None, place_of(entry.key)) for entry in origin
    ], None


def _places(composed: Composition, origin: Sequence[Origin]) -> Callable[[str], html_table.Link | str]:
    """Return a function from a key to the link of the line that sets it."""
    by_key = {entry.key: entry for entry in origin}
    keys_by_file: dict[str, list[str]] = {}
    for entry in origin:
        if entry.file is not None:
            keys_by_file.setdefault(entry.file, []).append(entry.key)
    root_file = f"{paths.CONF}/config.yaml"
    choices = [f"defaults.{group}" for group in composed.choices]
    lines = {
        name: setting_lines(_read_text(name), [*keys, *(choices if name == root_file else [])])
        for name, keys in keys_by_file.items()
    }

    def place_of(key: str) -> html_table.Link | str:
        entry = by_key.get(key)
        if entry is not None and entry.override is not None:
            return entry.override
        if key in composed.choices:
            return settings_file_panel.file_link(root_file, lines.get(root_file, {}).get(f"defaults.{key}"))
        name = None if entry is None else entry.file
        return "-" if name is None else settings_file_panel.file_link(name, lines[name].get(key))

    return place_of


def _read_text(name: str) -> str:
    path = queries.settings_file(name)
    return "" if path is None else path.read_text(encoding="utf-8")


def _select_group(settings: Sequence[_Setting]) -> str:
    counts = {name: sum(setting.group == name for setting in settings) for name in _ordered_groups(settings)}
    labels = {_ALL: "All groups", **{name: f"{name} ({n:,})" for name, n in counts.items()}}
    return address.choose(
        st.pills,
        list(labels),
        parameter="group",
        key="config_group",
        default=_ALL,
        format_func=labels.__getitem__,
        label="Group",
        label_visibility="collapsed",
    )


def _ordered_groups(settings: Sequence[_Setting]) -> list[str]:
    known = {setting.group for setting in settings}
    return [*(name for name in _GROUP_ORDER if name in known), *sorted(known - set(_GROUP_ORDER))]


def _show_groups(settings: Sequence[_Setting], title: str | None, *, is_open: bool) -> None:
    """Show a section for each group; the first ones are open, and all of them after a search or a comparison."""
    if not settings:
        page.empty_state("No setting matches", "clear the search, or select another group")
        return
    st.caption(f"{pluralize(len(settings), 'setting')}. Change a setting in its file, then run `dvc repro`.")
    groups = _ordered_groups(settings)
    for at, name in enumerate(groups):
        members = [setting for setting in settings if setting.group == name]
        is_expanded = is_open or title is not None or len(groups) == 1 or at < 2
        with st.expander(f"**{name}** ({pluralize(len(members), 'setting')})", expanded=is_expanded):
            page.show_table([_row(setting, title) for setting in members], caption=f"Settings of {name}")


def _row(setting: _Setting, title: str | None) -> dict[str, Any]:
    compared = {} if title is None else {title: setting.compared}
    return {"Setting": setting.key, "Value": setting.value, **compared, "Set in": setting.place}


def _warn_if_stale(composed: Composition) -> None:
    path = queries.project_root() / paths.PARAMS
    if not path.exists():
        page.empty_state("No run yet", "`make run` composes these settings into `params.yaml` and trains with them")
        return
    written = read_yaml(path)
    stale = _differences(dict(flatten_settings(written or {})), dict(flatten_settings(composed.values)))
    if stale:
        st.warning(
            f"{pluralize(len(stale), 'setting')} of conf/ differ from `params.yaml`, the settings of the last run."
            " Run `dvc repro`.",
            icon=":material/update:",
        )
        rows = [
            {
                "Setting": key,
                "In params.yaml": formatting.setting_text(old),
                "In conf/ now": formatting.setting_text(new),
            }
            for key, old, new in stale
        ]
        page.show_table(rows, caption="Settings that differ from the last run")


def _changes_since_production(
    composed: Composition, place_of: Callable[[str], html_table.Link | str]
) -> tuple[list[_Setting], str]:
    model = queries.config().name
    deployment = queries.current_deployment(model)
    digest = deployment.digests.get("Production")
    if digest is None:
        raise DataError(f"no version is in Production yet; {queries.production_step(model)}")
    version = deployment.version("Production")
    run = queries.find_package_run(digest)
    if run is None:
        raise DataError(
            f"MLflow has no run of version {version}, which has its settings;"
            " `mlops tracking sync --all-commits` rebuilds the runs of the git history"
        )
    now = {key: _param_text(value) for key, value in flatten_settings(logged_params(composed.values))}
    differing = _differences(run.params, now)
    if not differing:
        st.success(f"conf/ has the settings of version {version}.", icon=":material/check_circle:")
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(f"Settings that affect results, compared with version {version} in Production.", width="content")
        links.show_link(f"Version {version}", "models", icon="deployed_code", version=version)
    settings = [
        _Setting(key, formatting.setting_text(new), formatting.setting_text(old), place_of(key))
        for key, old, new in differing
    ]
    return settings, f"Version {version}"


def _param_text(value: Any) -> str:
    """Return a value as the tracker logs it."""
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    return shorten(text, _MAX_PARAM_LENGTH)


def _differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[tuple[str, Any, Any]]:
    keys = sorted({*before, *after})
    pairs = ((key, before.get(key, _NOT_SET), after.get(key, _NOT_SET)) for key in keys)
    return [(key, old, new) for key, old, new in pairs if old != new]
