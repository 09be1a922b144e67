"""Score files in parts, in a process that a test kills: `python -m ... PICKLE`."""

from __future__ import annotations

import pickle
import sys
from pathlib import Path


def main() -> None:
    from pipeline.engines import open_engine
    from pipeline.parts import run_parts

    config, job, plan, folder = pickle.loads(Path(sys.argv[1]).read_bytes())
    with open_engine(config) as engine:
        run_parts(job, plan, folder, engine)


if __name__ == "__main__":
    main()
