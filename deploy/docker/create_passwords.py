"""Create the passwords that compose.yaml asks for and .env lacks: `python create_passwords.py`."""

from __future__ import annotations

import os
import re
import secrets
from pathlib import Path

_FOLDER = Path(__file__).parent
_REQUIRED = re.compile(r"\$\{([A-Z_]+):\?")


def create_passwords(compose: Path, environment: Path) -> list[str]:
    """Add a random value for each missing name to a file that its owner alone can read, and return the new names."""
    existing = environment.read_text(encoding="utf-8") if environment.exists() else ""
    known = {line.partition("=")[0] for line in existing.splitlines()}
    required = dict.fromkeys(_REQUIRED.findall(compose.read_text(encoding="utf-8")))
    missing = [name for name in required if name not in known]
    if missing:
        separator = "\n" if existing and not existing.endswith("\n") else ""
        lines = "".join(f"{name}={secrets.token_hex(24)}\n" for name in missing)
        descriptor = os.open(environment, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        with os.fdopen(descriptor, "a", encoding="utf-8") as file:
            file.write(separator + lines)
    return missing


if __name__ == "__main__":
    create_passwords(_FOLDER / "compose.yaml", _FOLDER / ".env")
