"""Stages, app and configuration of a checkout; the test of the wheel covers the installed form."""

from importlib.util import find_spec

from pipeline.project.engine_files import app_folder, engine_conf, import_app_module, is_installed, stage_module


def test_a_checkout_has_stages_app_and_configuration_beside_the_library():
    assert not is_installed()
    assert find_spec(stage_module("train")) is not None
    assert (engine_conf() / "config.yaml").is_file()
    assert (app_folder() / "serve.py").is_file()
    assert import_app_module("formatting").__name__ == "app.formatting"
