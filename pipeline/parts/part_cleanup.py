"""Remove the files of attempts that belong to no result."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

from pipeline.parts.part_commit import read_manifest
from pipeline.parts.part_plan import read_plan
from pipeline.parts.part_record import read_records

if TYPE_CHECKING:
    from pipeline.storage import StoragePath

__all__ = ["clean_parts"]

# A hidden file is what an attempt that was killed had begun to write.
_PART_FILE = re.compile(r"\.?part-\d{6,}-[0-9a-f]{8}\b.*")
_DAY_S = 86_400.0


def clean_parts(folder: StoragePath, *, min_age_s: float = _DAY_S) -> list[str]:
    """Remove files of parts that neither the manifest nor a record names, and return their names.

    Parameters
    ----------
    folder : StoragePath
        An output folder.
    min_age_s : float
        Younger files stay, because an attempt may be writing them; in seconds.

    Raises
    ------
    UsageError
        When the folder has no plan.
    """
    plan = read_plan(folder)
    manifest = read_manifest(folder)
    if manifest is None:
        records = read_records(folder, plan_digest=plan.digest).values()
        named = {file.name for record in records for file in record.files}
    else:
        named = {file["name"] for part in manifest["parts"] for file in part["files"]}
    limit = time.time() - min_age_s
    removed = []
    for entry in folder.list_files():
        name = entry.path.name
        if _PART_FILE.fullmatch(name) and name not in named and entry.modified_at <= limit:
            entry.path.remove()
            removed.append(name)
    return removed
