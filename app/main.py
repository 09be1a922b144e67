"""The script of each session, which Streamlit runs by its path again for each interaction."""

from pipeline.project.engine_files import import_app_module

__all__ = ()

import_app_module("dashboard").show_dashboard()
