"""Verify that the outputs of the graph still have the checksums in `dvc.lock`.

DVC itself trusts size and modification time, and restores a corrupt object of its cache silently. This module
reads every byte again.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

from pipeline.project.dvc_outputs import (
    DvcOutput,
    cache_object_path,
    cached_listing,
    file_md5,
    folder_listing,
    listing_md5,
    locked_outputs,
)
from pipeline.project.stage_runs import load_stage_runs, output_md5

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pipeline.project.stage_runs import StageRun

__all__ = ["IntegrityFinding", "UnlockedOutput", "Verification", "verify_project"]

FileProblem = Literal["changed", "missing"]


@dataclass(frozen=True, slots=True)
class IntegrityFinding:
    """One file whose checksum differs from the recorded one."""

    path: str
    location: Literal["workspace", "cache"]
    problem: FileProblem
    expected_md5: str
    found_md5: str | None


@dataclass(frozen=True, slots=True)
class UnlockedOutput:
    """One output as its stage left it, which `dvc.lock` does not name, because DVC locks only what succeeds."""

    path: str
    stage: str
    reason: str


@dataclass(frozen=True, slots=True)
class Verification:
    """Number of files read, those whose checksum differs, and those that a stage left unlocked."""

    n_outputs: int
    n_cached: int
    findings: tuple[IntegrityFinding, ...]
    unlocked: tuple[UnlockedOutput, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return asdict(self)


def verify_project(root: Path) -> Verification:
    """Hash every output that `dvc.lock` names, and every cached object behind it.

    An output that is missing from the workspace is a finding; an object that is missing from the
    cache is not (the cache may have been cleaned), but a changed one is. An output that is exactly as a stage left
    it that failed, was stopped or was called by hand is no finding, but an unlocked output.

    Raises
    ------
    IntegrityError
        When `dvc.lock` is missing or cannot be read.
    """
    outputs = list(locked_outputs(root))
    findings: list[IntegrityFinding] = []
    unlocked: list[UnlockedOutput] = []
    runs = load_stage_runs(root)
    n_cached = 0
    for output in outputs:
        found = _workspace_findings(root, output)
        if found and (left := _unlocked_output(root, output, runs.get(output.stage))) is not None:
            unlocked.append(left)
        else:
            findings += found
        if output.is_cached:
            objects = list(_cached_objects(root, output))
            n_cached += len(objects)
            findings += [finding for path, md5 in objects if (finding := _cache_finding(root, path, md5)) is not None]
    return Verification(len(outputs), n_cached, tuple(findings), tuple(unlocked))


def _unlocked_output(root: Path, output: DvcOutput, run: StageRun | None) -> UnlockedOutput | None:
    """Return the output if it is as the last run of its stage left it; None if something else changed it."""
    if run is None:
        return None
    actual = output_md5(root / output.path)
    is_as_left = actual is None if run.exit_code is None else run.outputs.get(output.path, "unknown") == actual
    return UnlockedOutput(output.path, output.stage, run.summary) if is_as_left else None


def _workspace_findings(root: Path, output: DvcOutput) -> list[IntegrityFinding]:
    path = root / output.path
    if not path.exists():
        return [
            IntegrityFinding(
                path=output.path, location="workspace", problem="missing", expected_md5=output.md5, found_md5=None
            )
        ]
    if not output.md5.endswith(".dir"):
        return _checksum_findings(output.path, "workspace", output.md5, actual=file_md5(path))
    listing = folder_listing(path)
    if listing_md5(listing) == output.md5:
        return []
    expected = cached_listing(root, output.md5)
    if expected is None:
        return [
            IntegrityFinding(
                path=output.path,
                location="workspace",
                problem="changed",
                expected_md5=output.md5,
                found_md5=listing_md5(listing),
            )
        ]
    actual = {entry["relpath"]: entry["md5"] for entry in listing}
    return [
        finding
        for name in sorted(expected.keys() | actual.keys())
        for finding in _member_findings(f"{output.path}/{name}", expected.get(name), actual.get(name))
    ]


def _member_findings(path: str, expected: str | None, actual: str | None) -> list[IntegrityFinding]:
    if expected == actual:
        return []
    if actual is None:
        return [
            IntegrityFinding(
                path=path, location="workspace", problem="missing", expected_md5=expected or "", found_md5=None
            )
        ]
    return [
        IntegrityFinding(
            path=path, location="workspace", problem="changed", expected_md5=expected or "", found_md5=actual
        )
    ]


def _checksum_findings(
    path: str, place: Literal["workspace", "cache"], expected: str, *, actual: str
) -> list[IntegrityFinding]:
    return (
        []
        if expected == actual
        else [IntegrityFinding(path=path, location=place, problem="changed", expected_md5=expected, found_md5=actual)]
    )


def _cached_objects(root: Path, output: DvcOutput) -> Iterator[tuple[Path, str]]:
    """Yield the existing cached objects of an output, with the hash in their name."""
    path = cache_object_path(root, output.md5)
    if not path.exists():
        return
    yield path, output.md5.removesuffix(".dir")
    if output.md5.endswith(".dir"):
        for md5 in (cached_listing(root, output.md5) or {}).values():
            member = cache_object_path(root, md5)
            if member.exists():
                yield member, md5


def _cache_finding(root: Path, path: Path, md5: str) -> IntegrityFinding | None:
    actual = file_md5(path)
    return (
        None
        if actual == md5
        else IntegrityFinding(
            path=str(path.relative_to(root)), location="cache", problem="changed", expected_md5=md5, found_md5=actual
        )
    )
