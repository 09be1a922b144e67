"""Take real tables of packages from file to served model without an edit, and compare quality with peers.

    python benchmarks/tables.py                    # every table: init, check, graph, register, serve, monitor
    python benchmarks/tables.py --only telco,birds --again
    python benchmarks/tables.py quality            # five folds against skrub and logistic regression

Downloads, tables, peers' environments and results stay in the user's cache; a run resumes where it stopped.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from table_catalog import TABLES, Table, cache_folder, write_table  # noqa: E402 - needs the path above
from table_quality import compare_table, quality_line  # noqa: E402 - needs the path above
from table_run import declare_table, run_table  # noqa: E402 - needs the path above

_PEERS = ("skrub", "logistic")


def run_all(tables: list[Table], *, again: bool, keep: bool) -> None:
    """Run the tables that have no result yet; print a line for each."""
    results = cache_folder() / "results"
    results.mkdir(parents=True, exist_ok=True)
    print("| table | step reached | served | seconds | sentence |\n|---|---|---|---|---|")
    for table in tables:
        path = results / f"{table.name}.json"
        if again or not path.exists():
            folder = cache_folder() / "projects" / table.name
            shutil.rmtree(folder, ignore_errors=True)
            run = run_table(table, write_table(table, cache_folder() / "files"), folder)
            path.write_text(json.dumps(run.as_dict(), indent=1), encoding="utf-8")
            if run.served and not keep:
                shutil.rmtree(folder, ignore_errors=True)
        print(_line(json.loads(path.read_text(encoding="utf-8"))), flush=True)
    finished = [json.loads((results / f"{table.name}.json").read_text(encoding="utf-8")) for table in tables]
    print(f"\n{sum(run['served'] for run in finished)} of {len(tables)} tables ended with a served model")


def compare_all(tables: list[Table], *, again: bool, peers: tuple[str, ...]) -> None:
    """Compare each table with the peers on the same folds; print a line for each."""
    results = cache_folder() / "quality"
    results.mkdir(parents=True, exist_ok=True)
    heads = " | ".join(f"minus {peer}: log loss / AUC; time ÷" for peer in peers)
    print(f"| table | rows x columns | classes | log loss / AUC | {heads} |")
    print("|---|---|---|---|" + "---|" * len(peers))
    for table in tables:
        path, file = results / f"{table.name}.json", write_table(table, cache_folder() / "files")
        report = json.loads(path.read_text(encoding="utf-8")) if path.exists() and not again else {}
        if not set(peers) <= set(report):
            with declare_table(table, file, cache_folder() / "declared") as project:
                report |= compare_table(table, file, project, peers=peers)
            path.write_text(json.dumps(report, indent=1), encoding="utf-8")
        print(quality_line(report, peers), flush=True)


def _line(run: dict[str, Any]) -> str:
    seconds = sum(run["seconds"].values())
    words = run["sentence"] or "; ".join(filter(None, (run["gates"], run["monitor"])))
    return f"| {run['name']} | {run['step']} | {'yes' if run['served'] else 'no'} | {seconds:.0f} | {words} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="?", choices=("run", "quality"), default="run")
    parser.add_argument("--only", default="", help="names of tables, separated by commas")
    parser.add_argument("--again", action="store_true", help="run tables that have a result, too")
    parser.add_argument("--keep", action="store_true", help="keep the copies of the project of served tables")
    parser.add_argument("--autogluon", action="store_true", help="compare with AutoGluon-Tabular, too")
    options = parser.parse_args()
    names = set(filter(None, options.only.split(",")))
    unknown = names - {table.name for table in TABLES}
    if unknown:
        parser.error(f"unknown tables {sorted(unknown)}; expected some of {[table.name for table in TABLES]}")
    tables = [table for table in TABLES if not names or table.name in names]
    if options.what == "quality":
        compare_all(tables, again=options.again, peers=(*_PEERS, "autogluon") if options.autogluon else _PEERS)
    else:
        run_all(tables, again=options.again, keep=options.keep)


if __name__ == "__main__":
    main()
