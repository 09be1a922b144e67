"""Explain what DVC prints when it refuses to run: the cause, the file and the remedy, beside DVC's own words."""

from __future__ import annotations

import re

from pipeline.project.engine_files import stage_command
from pipeline.text import shorten

__all__ = ["DVC_MESSAGES", "explain_dvc_error"]

# What DVC prints -> what it means, and what to do; the first that occurs counts. docs/how-to/runbook.md lists them.
DVC_MESSAGES: tuple[tuple[str, str], ...] = (
    (r"Unable to acquire lock", "another DVC command holds .dvc/tmp/lock; wait for it, or run `mlops doctor`"),
    (
        r"is busy, it is being blocked by",
        (
            "another process has noted in .dvc/tmp/rwlock that it uses the file; run `mlops doctor`, which removes the"
            " notes of processes that ended"
        ),
    ),
    (
        r"missing data 'source'",
        (
            "the file of rows is neither in data/external/ nor restored; run `mlops doctor`, `dvc pull`, or"
            " `mlops data add FILE`"
        ),
    ),
    (
        r"dvc\.lock' (is invalid|validation failed)",
        "dvc.lock is empty, cut or holds merge markers; run `mlops doctor`, or `git checkout HEAD -- dvc.lock`",
    ),
    (r"dvc\.yaml' (is invalid|validation failed)", "the file is damaged; restore it with `git checkout HEAD -- FILE`"),
    (r"unable to read: '.*params\.yaml'", f"params.yaml is damaged; make it again with `{stage_command('compose')}`"),
    (
        r"configuration error",
        "a setting of DVC is wrong; restore `git checkout HEAD -- .dvc/config`, and correct .dvc/config.local",
    ),
    (
        r"is specified in:|output paths? .*overlap",
        "two stages declare one output; remove the dvc.yaml or .dvc file that does not belong to the project",
    ),
    (r"already tracked by SCM", "git tracks a file that DVC makes; run `git rm --cached FILE` and commit"),
    (
        r"is not a git repository|not a git repo",
        "the folder has no git repository, as after the download of an archive; run `git init`, then the command again",
    ),
    (r"not inside of a DVC repository", "run `git init` and `dvc init` first"),
    (r"No space left", "the disk is full; free space, for example with `dvc gc --workspace`"),
    (
        r"Permission denied|Read-only file system|Not a directory|Errno 20",
        "DVC cannot write its cache; correct owner and rights of .dvc, or `dvc cache dir`",
    ),
    (
        r"Could not override|Could not find|Error parsing override|In 'config'",
        "an override is wrong; see `mlops config check`",
    ),
    (r"failed to reproduce", "the stage ended with an error; its own message is above"),
)


def explain_dvc_error(printed: str) -> str:
    """Return one line: the last error that DVC printed, what it means, and the next command."""
    lines = [" ".join(line.split()) for line in printed.splitlines() if line.strip()]
    error_line = next((line for line in reversed(lines) if re.match(r"ERROR|fatal", line)), lines[0] if lines else "")
    words = shorten(error_line.removeprefix("ERROR: "), 300) if error_line else "no reason given"
    remedy = next((text for pattern, text in DVC_MESSAGES if re.search(pattern, printed)), "see `mlops doctor`")
    return f"DVC reports: {words}; {remedy}"
