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
_LINK_SCRIPT = Path(__file__).with_name("linking.py")
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
        """Return what the last instruction of a kind says."""
        return [said for kind, said in self.steps if kind == instruction][-1]

    def exec_form(self, instruction: str) -> list[str]:
        """Return an instruction in exec form as its words; a shell form is refused."""
        found: list[str] = json.loads(self.last_instruction(instruction))
        return found


def read_stages(path: Path = DOCKERFILE) -> dict[str, BuildStage]:
    """Return the stages of a Dockerfile by name."""
    text = re.sub(r"^\s*#.*\n", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    stages: dict[str, BuildStage] = {}
    for line in text.replace("\\\n", " ").splitlines():
        word, _, said = line.strip().partition(" ")
        if word == "FROM":
            base, name = re.fullmatch(r"(\S+) AS (\S+)", said).groups()  # type: ignore[union-attr]
            stages[name] = BuildStage(name, base)
        elif word and stages:
            list(stages.values())[-1].steps.append((word, " ".join(said.split())))
    return stages


def required_stages(stages: dict[str, BuildStage], target: str) -> list[BuildStage]:
    """Return the stages that `target` is made of, in the order of the file."""
    wanted, queue = {target}, [target]
    while queue:
        stage = stages[queue.pop()]
        more = {stage.base, *re.findall(r"--from=(\S+)", " ".join(said for _, said in stage.steps))} & set(stages)
        queue += more - wanted
        wanted |= more
    return [stage for name, stage in stages.items() if name in wanted]


def build_script(stages: dict[str, BuildStage], target: str, output_dir: Path, *, is_full: bool) -> str:
    """Return shell lines that make `place/TARGET/root`; they belong into a mount namespace of their own."""
    lines = ["set -eu", f"mount -t tmpfs -o size=4g tmpfs {output_dir}"]
    for stage in required_stages(stages, target):
        lines += _stage_script(stages, stage, output_dir, is_full=is_full)
    return "\n".join(lines)


def stage_environment(stages: dict[str, BuildStage], stage: BuildStage) -> dict[str, str]:
    """Return the variables that a stage sets, with those that it inherits."""
    own: dict[str, str] = {}
    for kind, said in stage.steps:
        if kind == "ENV":
            own.update(word.split("=", 1) for word in shlex.split(said))
    inherited = stage_environment(stages, stages[stage.base]) if stage.base in stages else {"PATH": _base_image_path()}
    return inherited | own


def stage_workdir(stages: dict[str, BuildStage], stage: BuildStage) -> str:
    """Return the folder in which a stage ends."""
    found = [said for kind, said in stage.steps if kind == "WORKDIR"]
    if found:
        return found[-1]
    return stage_workdir(stages, stages[stage.base]) if stage.base in stages else "/"


def _base_image_path() -> str:
    """The stand-in for the base image: the Python that runs the tests, without its virtual environment."""
    return f"{Path(sys.base_prefix) / 'bin'}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def _stage_script(stages: dict[str, BuildStage], stage: BuildStage, output_dir: Path, *, is_full: bool) -> list[str]:
    home = output_dir / stage.name
    lower = [str(output_dir / one.name / "up") for one in _base_stages(stages, stage)]
    options = f"lowerdir={':'.join([*lower, '/'])},upperdir={home}/up,workdir={home}/work"
    lines = [f"mkdir -p {home}/up {home}/work {home}/root", f"mount -t overlay overlay -o {options} {home}/root"]
    lines += [f"mount --rbind /{one} {home}/root/{one}" for one in ("proc", "dev")]
    variables = " ".join(shlex.quote(f"{key}={value}") for key, value in stage_environment(stages, stage).items())
    folder = stage_workdir(stages, stages[stage.base]) if stage.base in stages else "/"
    for kind, said in stage.steps:
        if kind == "WORKDIR":
            folder = said
            lines.append(f"mkdir -p {home}/root{folder}")
        elif kind == "RUN":
            command = said if is_full else _link_instead_of_install(said)
            run = shlex.quote(f"cd {folder} && {command}")
            lines.append(f"env -i {variables} chroot {home}/root sh -euc {run} >&2")
        elif kind == "COPY":
            lines += _copy_command(said, home / "root", folder, output_dir)
    return lines


def _base_stages(stages: dict[str, BuildStage], stage: BuildStage) -> list[BuildStage]:
    found = []
    while stage.base in stages:
        stage = stages[stage.base]
        found.append(stage)
    return found


def _copy_command(instruction: str, root: Path, folder: str, output_dir: Path) -> list[str]:
    words = instruction.split()
    source = ROOT
    if words[0].startswith("--from="):
        source = output_dir / words.pop(0).removeprefix("--from=") / "root"
    *what, to = words
    target = f"{root}{PurePosixPath(folder) / to}"
    if to.endswith("/"):
        return [f"mkdir -p {target}", *[f"cp -r {source / one.lstrip('/')} {target}" for one in what]]
    # A folder is copied as its contents, as COPY does.
    made = f"mkdir -p $(dirname {target})"
    return [
        made,
        *[
            f"if [ -d {p} ]; then mkdir -p {target}; cp -a {p}/. {target}; else cp {p} {target}; fi"
            for p in (source / one.lstrip("/") for one in what)
        ],
    ]


def _link_instead_of_install(instruction: str) -> str:
    """Return a step in which packages are linked instead of installed, pip among them."""
    linked = _PIP_INSTALL.sub(_link_command, instruction).replace("-m venv tools", "-m venv --without-pip tools")
    return linked.replace("tools/bin/pip ", "tools/bin/python -m pip ")


def _link_command(match: re.Match[str]) -> str:
    python = match["python"] or str(PurePosixPath(match["pip"]).with_name("python"))
    return f"{sys.executable} {_LINK_SCRIPT} {python} {match['locks'].replace(' -r ', ' ')}"
