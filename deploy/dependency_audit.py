"""Check the locked packages for known vulnerabilities, and write their list as an SBOM (`make audit`).

A vulnerability without a fix can be waived in `deploy/waivers.yaml` by its id, with a reason and a last day. After that
day it counts again.
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
LOCKS = ("requirements/run.lock", "requirements/app.lock", "requirements/serving.lock", "requirements/scale.lock")
SBOM = ROOT / "reports/sbom.json"

_EXIT_VULNERABLE, _EXIT_UNAVAILABLE, _EXIT_BAD_WAIVERS = 1, 7, 3


def main(bin_dir: Path) -> int:
    """Return the exit code: 0 without vulnerabilities, 1 with some, 3 for bad waivers, 7 without data of the index."""
    try:
        waived = active_waivers(yaml.safe_load(WAIVERS.read_text(encoding="utf-8")), today=datetime.now(UTC).date())
    except ValueError as error:
        sys.stderr.write(f"{WAIVERS.name}: {error}\n")
        return _EXIT_BAD_WAIVERS
    SBOM.parent.mkdir(exist_ok=True)
    command = [bin_dir / "cyclonedx-py", "requirements", LOCKS[0], "--output-reproducible", "-o", SBOM]
    subprocess.run([str(argument) for argument in command], cwd=ROOT, check=True)
    print(f"{SBOM.relative_to(ROOT)}: {len(json.loads(SBOM.read_text(encoding='utf-8'))['components'])} packages")
    return max(_audit_lock(bin_dir, lock, waived) for lock in LOCKS)


def active_waivers(waivers: Sequence[dict[str, Any]], *, today: date) -> list[str]:
    """Return the ids of the waivers that are in force today.

    Raises
    ------
    ValueError
        Naming a waiver without id, reason or last day.
    """
    for number, waiver in enumerate(waivers):
        if set(waiver) != {"id", "until", "reason"} or not isinstance(waiver["until"], date):
            raise ValueError(
                f"waiver {number + 1}: expected id, reason and until (a day, 2026-01-31), got {sorted(waiver)}"
            )
    return [waiver["id"] for waiver in waivers if today <= waiver["until"]]


def _audit_lock(bin_dir: Path, lock: str, waived_ids: Sequence[str]) -> int:
    options = ["--disable-pip", "--require-hashes", "-r", lock, "--format", "json", "--progress-spinner", "off"]
    options += [argument for waived_id in waived_ids for argument in ("--ignore-vuln", waived_id)]
    done = subprocess.run([str(bin_dir / "pip-audit"), *options], cwd=ROOT, capture_output=True, text=True, check=False)
    try:
        packages = json.loads(done.stdout)["dependencies"]
    except ValueError:
        sys.stderr.write(f"{lock}: pip-audit failed: {done.stderr.strip()[-500:]}\n")
        return _EXIT_UNAVAILABLE
    checked = [package for package in packages if "skip_reason" not in package]
    if not checked:
        sys.stderr.write(f"{lock}: the package index has no vulnerability data; use the public index\n")
        return _EXIT_UNAVAILABLE
    findings = [(package, vulnerability) for package in checked for vulnerability in package["vulns"]]
    for package, vulnerability in findings:
        fixed_in = ", ".join(vulnerability["fix_versions"]) or "no version yet"
        print(f"{lock}: {package['name']} {package['version']}: {vulnerability['id']}, fixed in {fixed_in}")
    n_unknown = len(packages) - len(checked)
    print(f"{lock}: {len(checked)} packages checked, {n_unknown} unknown to the index, {len(findings)} vulnerabilities")
    return _EXIT_VULNERABLE if findings else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
