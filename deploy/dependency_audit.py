"""Ask the package index for known holes of what is locked, and write down what is locked (`make audit`).

A hole that cannot be mended yet is waived in `deploy/waivers.yaml`, by its id, with a reason and a last day; after that day
it counts again.
"""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).parents[1]
WAIVERS = ROOT / "deploy/waivers.yaml"
LOCKS = ("requirements/run.lock", "requirements/app.lock", "requirements/serving.lock")
SBOM = ROOT / "reports/sbom.json"

_EXIT_VULNERABLE, _EXIT_UNAVAILABLE, _EXIT_BAD_WAIVERS = 1, 7, 3


def main(bin_dir: Path) -> int:
    """Return 0 when nothing is known of what is locked, 1 with the holes, 7 when nothing could be asked, 3 for bad waivers."""
    try:
        waived = active_waivers(yaml.safe_load(WAIVERS.read_text(encoding="utf-8")), today=datetime.now(UTC).date())
    except ValueError as error:
        sys.stderr.write(f"{WAIVERS.name}: {error}\n")
        return _EXIT_BAD_WAIVERS
    SBOM.parent.mkdir(exist_ok=True)
    listed = [bin_dir / "cyclonedx-py", "requirements", LOCKS[0], "--output-reproducible", "-o", SBOM]
    subprocess.run([str(word) for word in listed], cwd=ROOT, check=True)
    print(f"{SBOM.relative_to(ROOT)}: {len(json.loads(SBOM.read_text(encoding='utf-8'))['components'])} packages")
    return max(_audit_lock(bin_dir, lock, waived) for lock in LOCKS)


def active_waivers(waivers: Sequence[dict[str, Any]], *, today: date) -> list[str]:
    """Return the ids that are waived today.

    Raises
    ------
    ValueError
        Naming a waiver without id, reason or last day.
    """
    for number, waiver in enumerate(waivers):
        if set(waiver) != {"id", "until", "reason"} or not isinstance(waiver["until"], date):
            raise ValueError(
                f"waiver {number + 1} has an id, a reason and until (a day, 2026-01-31); found {sorted(waiver)}"
            )
    return [waiver["id"] for waiver in waivers if today <= waiver["until"]]


def _audit_lock(bin_dir: Path, lock: str, waived_ids: Sequence[str]) -> int:
    words = ["--disable-pip", "--require-hashes", "-r", lock, "--format", "json", "--progress-spinner", "off"]
    ignored = [word for one in waived_ids for word in ("--ignore-vuln", one)]
    done = subprocess.run(
        [str(bin_dir / "pip-audit"), *words, *ignored], cwd=ROOT, capture_output=True, text=True, check=False
    )
    try:
        packages = json.loads(done.stdout)["dependencies"]
    except ValueError:
        sys.stderr.write(f"{lock}: pip-audit did not answer: {done.stderr.strip()[-500:]}\n")
        return _EXIT_UNAVAILABLE
    asked = [one for one in packages if "skip_reason" not in one]
    if not asked:
        sys.stderr.write(f"{lock}: the package index in use tells nothing about holes; ask the public one\n")
        return _EXIT_UNAVAILABLE
    holes = [(one["name"], one["version"], hole) for one in asked for hole in one["vulns"]]
    for name, version, hole in holes:
        fixed = ", ".join(hole["fix_versions"]) or "no version yet"
        print(f"{lock}: {name} {version}: {hole['id']}, mended in {fixed}")
    print(f"{lock}: {len(asked)} packages asked for, {len(packages) - len(asked)} not known, {len(holes)} holes")
    return _EXIT_VULNERABLE if holes else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
