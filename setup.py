"""Lay out the packages of a wheel under one import name; pyproject.toml declares everything else.

A checkout has `stages/`, `app/` and `conf/` beside `pipeline/`. The wheel has them inside of `pipeline`, because
their names are too common for an environment that other packages share. An editable install leaves them in place.
"""

import shutil
import sys
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).parent
MOVED_PACKAGES = ("stages", "app")
# Modules, and what an interrupted write or an editor leaves.
OTHER_SUFFIXES = (".py", ".pyc", ".tmp", ".old", ".swp")
# Streamlit reads credentials from it; git ignores it.
SECRETS = "secrets.toml"


def data_files(folder: str) -> list[str]:
    """Return the files of a folder that are no code: SQL, JSON, templates, styles, settings."""
    files = (path for path in sorted((ROOT / folder).rglob("*")) if path.is_file() and path.name != SECRETS)
    return [path.relative_to(ROOT / folder).as_posix() for path in files if path.suffix not in OTHER_SUFFIXES]


class BuildEngine(build_py):
    """Add what a checkout has elsewhere: the stages and a package of the settings.

    DVC would run a `dvc.yaml` that it finds in an environment, so the wheel has another name. Hydra's
    `pkg://pipeline.conf` reads packages only.
    """

    def run(self) -> None:
        """Copy the packages, then the graph; add the empty module."""
        library = Path(self.build_lib) / "pipeline"
        # An earlier build in the checkout may have modules that no longer exist.
        shutil.rmtree(library, ignore_errors=True)
        super().run()
        self.copy_file(str(ROOT / "dvc.yaml"), str(library / "graph.yaml"))
        (library / "conf" / "__init__.py").touch()

    def get_source_files(self) -> list[str]:
        """Return what an archive of sources needs."""
        return [*super().get_source_files(), "dvc.yaml"]


packages = find_packages(str(ROOT), include=["pipeline", "pipeline.*"])
shipped = [name for folder in MOVED_PACKAGES for name in find_packages(str(ROOT), include=[folder, f"{folder}.*"])]
if "editable_wheel" in sys.argv:
    setup(packages=[*packages, *shipped])
else:
    setup(
        cmdclass={"build_py": BuildEngine},
        packages=[*packages, *(f"pipeline.{name}" for name in shipped), "pipeline.conf"],
        package_dir={f"pipeline.{folder}": folder for folder in (*MOVED_PACKAGES, "conf")},
        package_data={
            "pipeline": data_files("pipeline"),
            "pipeline.app": data_files("app"),
            "pipeline.conf": data_files("conf"),
        },
    )
