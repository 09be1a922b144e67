"""Read a Dockerfile and carry out its steps without a container engine: each stage is an overlay over this machine."""

from __future__ import annotations

import json
import re
import shlex
import sys
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

ROOT = Path(__file__).parents[2]
DOCKERFILE = ROOT / "deploy/docker/Dockerfile"
_LINK_SCRIPT = Path(__file__).with_name("link_packages.py")
_PIP_INSTALL = re.compile(
    r"(?P<pip>\S*pip)(?: --python (?P<python>\S+))? install --require-hashes(?P<locks>(?: -r \S+)+)"
)


@dataclass
class BuildStage:
    """One `FROM ... AS name`, with what follows."""

    name: str
    base: str
    steps: list[tuple[str, str]] = field(default_factory=list)

    def last_instruction(self, instruction: str) -> str:
        """Return the argument of the last instruction of a kind."""
        return [argument for kind, argument in self.steps if kind == instruction][-1]

    def exec_form(self, instruction: str) -> list[str]:
        """Return an instruction in exec form as its words; a shell form is refused."""
        words: list[str] = json.loads(self.last_instruction(instruction))
        return words


def read_stages(path: Path = DOCKERFILE) -> dict[str, BuildStage]:
    """Return the stages of a Dockerfile by name."""
    text = re.sub(r"^\s*#.*\n", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    stages: dict[str, BuildStage] = {}
    for line in text.replace("\\\n", " ").splitlines():
        word, _, argument = line.strip().partition(" ")
        if word == "FROM":
            base, name = re.fullmatch(r"(\S+) AS (\S+)", argument).groups()  # type: ignore[union-attr]
            stages[name] = BuildStage(name, base)
        elif word and stages:
            list(stages.values())[-1].steps.append((word, " ".join(argument.split())))
    return stages


def required_stages(stages: dict[str, BuildStage], target: str) -> list[BuildStage]:
    """Return the stages that `target` needs, in the order of the file."""
    needed, queue = {target}, [target]
    while queue:
        stage = stages[queue.pop()]
        sources = {stage.base, *re.findall(r"--from=(\S+)", " ".join(argument for _, argument in stage.steps))} & set(
            stages
        )
        queue += sources - needed
        needed |= sources
    return [stage for name, stage in stages.items() if name in needed]


def build_script(stages: dict[str, BuildStage], target: str, output_dir: Path, *, is_full: bool) -> str:
    """Return shell lines that build `output_dir/TARGET/root`; they need a mount namespace of their own."""
    lines = ["set -eu", f"mount -t tmpfs -o size=4g tmpfs {output_dir}"]
    for stage in required_stages(stages, target):
        lines += _stage_script(stages, stage, output_dir, is_full=is_full)
    return "\n".join(lines)


def stage_environment(stages: dict[str, BuildStage], stage: BuildStage) -> dict[str, str]:
    """Return the variables that a stage sets, with those that it inherits."""
    variables: dict[str, str] = {}
    for kind, argument in stage.steps:
        if kind == "ENV":
            variables.update(word.split("=", 1) for word in shlex.split(argument))
    inherited = stage_environment(stages, stages[stage.base]) if stage.base in stages else {"PATH": _base_image_path()}
    return inherited | variables


def stage_workdir(stages: dict[str, BuildStage], stage: BuildStage) -> str:
    """Return the folder in which a stage ends."""
    folders = [argument for kind, argument in stage.steps if kind == "WORKDIR"]
    if folders:
        return folders[-1]
    return stage_workdir(stages, stages[stage.base]) if stage.base in stages else "/"


def _base_image_path() -> str:
    """The stand-in for the base image: the Python that runs the tests, without its virtual environment."""
    return f"{Path(sys.base_prefix) / 'bin'}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def _stage_script(stages: dict[str, BuildStage], stage: BuildStage, output_dir: Path, *, is_full: bool) -> list[str]:
    home = output_dir / stage.name
    lower = [str(output_dir / base.name / "up") for base in _base_stages(stages, stage)]
    options = f"lowerdir={':'.join([*lower, '/'])},upperdir={home}/up,workdir={home}/work"
    lines = [f"mkdir -p {home}/up {home}/work {home}/root", f"mount -t overlay overlay -o {options} {home}/root"]
    lines += [f"mount --rbind /{mount} {home}/root/{mount}" for mount in ("proc", "dev")]
    variables = " ".join(shlex.quote(f"{key}={value}") for key, value in stage_environment(stages, stage).items())
    folder = stage_workdir(stages, stages[stage.base]) if stage.base in stages else "/"
    for kind, argument in stage.steps:
        if kind == "WORKDIR":
            folder = argument
            lines.append(f"mkdir -p {home}/root{folder}")
        elif kind == "RUN":
            command = argument if is_full else _link_instead_of_install(argument)
            run = shlex.quote(f"cd {folder} && {command}")
            lines.append(f"env -i {variables} chroot {home}/root sh -euc {run} >&2")
        elif kind == "COPY":
            lines += _copy_command(argument, home / "root", folder, output_dir)
    return lines


def _base_stages(stages: dict[str, BuildStage], stage: BuildStage) -> list[BuildStage]:
    base_stages = []
    while stage.base in stages:
        stage = stages[stage.base]
        base_stages.append(stage)
    return base_stages


def _copy_command(instruction: str, root: Path, folder: str, output_dir: Path) -> list[str]:
    words = instruction.split()
    source = ROOT
    if words[0].startswith("--from="):
        source = output_dir / words.pop(0).removeprefix("--from=") / "root"
    *paths, to = words
    target = f"{root}{PurePosixPath(folder) / to}"
    if to.endswith("/"):
        return [f"mkdir -p {target}", *[f"cp -r {source / path.lstrip('/')} {target}" for path in paths]]
    # A folder is copied as its contents, as COPY does.
    make_folder = f"mkdir -p $(dirname {target})"
    return [
        make_folder,
        *[
            f"if [ -d {p} ]; then mkdir -p {target}; cp -a {p}/. {target}; else cp {p} {target}; fi"
            for p in (source / path.lstrip("/") for path in paths)
        ],
    ]


def _link_instead_of_install(instruction: str) -> str:
    """Return a step in which packages are linked instead of installed, pip among them."""
    linked = _PIP_INSTALL.sub(_link_command, instruction).replace("-m venv tools", "-m venv --without-pip tools")
    return linked.replace("tools/bin/pip ", "tools/bin/python -m pip ")


def _link_command(match: re.Match[str]) -> str:
    python = match["python"] or str(PurePosixPath(match["pip"]).with_name("python"))
    return f"{sys.executable} {_LINK_SCRIPT} {python} {match['locks'].replace(' -r ', ' ')}"
