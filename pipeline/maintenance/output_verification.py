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

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["IntegrityFinding", "Verification", "verify_project"]

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
class Verification:
    """Number of files read, and those whose checksum differs."""

    n_outputs: int
    n_cached: int
    findings: tuple[IntegrityFinding, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return asdict(self)


def verify_project(root: Path) -> Verification:
    """Hash every output that `dvc.lock` names, and every cached object behind it.

    An output that is missing from the workspace is a finding; an object that is missing from the
    cache is not (the cache may have been cleaned), but a changed one is.

    Raises
    ------
    IntegrityError
        When `dvc.lock` is missing or cannot be read.
    """
    outputs = list(locked_outputs(root))
    findings: list[IntegrityFinding] = []
    n_cached = 0
    for output in outputs:
        findings += _workspace_findings(root, output)
        if output.is_cached:
            objects = list(_cached_objects(root, output))
            n_cached += len(objects)
            findings += [finding for path, md5 in objects if (finding := _cache_finding(root, path, md5)) is not None]
    return Verification(len(outputs), n_cached, tuple(findings))


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
