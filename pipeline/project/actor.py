"""Name the user of this process in the audit trail and beside outcomes."""

from __future__ import annotations

import os
import pwd

__all__ = ["current_actor"]

_PROGRAMS = ("loop", "monitor")  # The loop may undo what the audit trail attributes to it.


def current_actor() -> str:
    """Return the actor for the audit trail: `MLOPS_ACTOR`, otherwise the user of this process.

    A person with the name of a program gets the prefix `user`.
    """
    name = os.environ.get("MLOPS_ACTOR") or pwd.getpwuid(os.getuid()).pw_name
    return f"user {name}" if name in _PROGRAMS else name
