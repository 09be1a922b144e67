"""Record how each stage of the graph ended, with the checksums of its outputs.

DVC writes `dvc.lock` only after a stage succeeds. So after a stage that failed or was stopped, its outputs differ
from the lock file, and this record distinguishes that from damage.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import yaml

from pipeline.errors import MlopsError
from pipeline.files import parse_yaml, read_json, write_json
from pipeline.project.dvc_outputs import file_md5, folder_md5

__all__ = ["StageRun", "load_stage_runs", "output_md5", "record_stage_end", "record_stage_start"]

_FOLDER = Path(".dvc/tmp/mlops-stages")


@dataclass(frozen=True, slots=True)
class StageRun:
    """The last run of a stage.

    `exit_code` is None when it still runs or was killed; `outputs` holds the MD5 of each output, None if missing.
    """

    stage: str
    exit_code: int | None
    reason: str
    outputs: dict[str, str | None]

    @property
    def summary(self) -> str:
        """How the run ended, in words."""
        if self.exit_code is None:
            return f"stage {self.stage} runs, or was killed"
        end = "ended" if self.exit_code == 0 else f"ended with exit code {self.exit_code}"
        return f"stage {self.stage} {end}{f' ({self.reason})' if self.reason else ''}"


def record_stage_start(root: Path, stage: str) -> None:
    """Record that a stage runs; outside a DVC project, do nothing."""
    _record(root, StageRun(stage, None, "", {}))


def record_stage_end(root: Path, stage: str, *, exit_code: int, reason: str) -> None:
    """Record the end of a stage with the checksums of its outputs; outside a DVC project, do nothing."""
    _record(
        root, StageRun(stage, exit_code, reason, {path: output_md5(root / path) for path in _declared(root, stage)})
    )


def load_stage_runs(root: Path) -> dict[str, StageRun]:
    """Return the last run of each stage that has a readable record."""
    runs = {}
    for path in sorted((root / _FOLDER).glob("*.json")):
        with suppress(MlopsError, OSError, ValueError, TypeError):
            runs[path.stem] = StageRun(**read_json(path))
    return runs


def output_md5(path: Path) -> str | None:
    """Return DVC's checksum of a file or folder; None if it is missing."""
    if path.is_dir():
        return folder_md5(path)
    return file_md5(path) if path.is_file() else None


def _record(root: Path, run: StageRun) -> None:
    if not (root / ".dvc").is_dir():
        return
    with suppress(MlopsError, OSError):  # a full disk has its own message, and the record is no output
        write_json(root / _FOLDER / f"{run.stage}.json", asdict(run))


def _declared(root: Path, stage: str) -> list[str]:
    """Return the paths of the outputs that dvc.yaml declares for a stage."""
    try:
        block = parse_yaml((root / "dvc.yaml").read_text(encoding="utf-8"))["stages"][stage]
        entries = [entry for key in ("outs", "metrics", "plots") for entry in block.get(key, [])]
        return [path for entry in entries for path in (entry if isinstance(entry, dict) else [entry])]
    except (OSError, yaml.YAMLError, UnicodeDecodeError, KeyError, TypeError, AttributeError):
        return []
