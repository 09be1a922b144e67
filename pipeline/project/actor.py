"""Name the user of this process in the audit trail and beside outcomes."""

from __future__ import annotations

import os
import pwd

__all__ = ["current_actor"]


def current_actor() -> str:
    """Return the actor for the audit trail: `MLOPS_ACTOR`, otherwise the user of this process."""
    return os.environ.get("MLOPS_ACTOR") or pwd.getpwuid(os.getuid()).pw_name
