"""Link the installed packages that a lock names into an environment: `link_packages.py PYTHON LOCK...`.

A stand-in for `pip install --require-hashes`, which would unpack half a gigabyte. Versions are compared.
"""

from __future__ import annotations

import shutil
import sys
import sysconfig
from importlib.metadata import distribution
from pathlib import Path

from packaging.requirements import Requirement


def locked_requirements(lock: Path) -> list[Requirement]:
    """Return the packages of a lock that are for this Python."""
    lines = [line.removesuffix("\\").strip() for line in lock.read_text(encoding="utf-8").splitlines()]
    requirements = [Requirement(line) for line in lines if line and not line.startswith(("#", "--hash"))]
    return [requirement for requirement in requirements if requirement.marker is None or requirement.marker.evaluate()]


def link_package(requirement: Requirement, target: Path) -> None:
    installed = distribution(requirement.name)
    assert installed.version in requirement.specifier, f"{requirement}: {installed.version} is installed"
    for name in {file.parts[0] for file in installed.files or [] if file.parts[0] not in ("..", "__pycache__")}:
        place = target / name
        if place.is_dir() and not place.is_symlink():
            shutil.rmtree(place)  # what a fresh environment brings is replaced, as pip does
        if not place.is_symlink():
            place.unlink(missing_ok=True)
            place.symlink_to(Path(str(installed.locate_file(name))))


def main() -> None:
    python, *locks = sys.argv[1:]
    version = f"python{sysconfig.get_python_version()}"
    target = Path(python).parents[1] / "lib" / version / "site-packages"
    if Path(python).parents[1].name == "tools":
        link_package(Requirement("pip"), target)
    for lock in locks:
        for requirement in locked_requirements(Path(lock)):
            link_package(requirement, target)


if __name__ == "__main__":
    main()
