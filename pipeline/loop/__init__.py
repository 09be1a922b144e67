"""The loop: advance trials and retrains, record importance and fairness, and write down why nothing happened."""

from pipeline.loop.loop_parts import LOOP_PARTS, LoopPart
from pipeline.loop.loop_report import decision_line, exit_code, print_loop_run, run_lines
from pipeline.loop.loop_runner import run_loop, run_loop_once

__all__ = [
    "LOOP_PARTS",
    "LoopPart",
    "decision_line",
    "exit_code",
    "print_loop_run",
    "run_lines",
    "run_loop",
    "run_loop_once",
]
