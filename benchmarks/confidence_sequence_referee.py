"""Compare the trial's interval with the bound of the library confseq; the bar is a difference of 1e-9.

confseq 0.0.11 has no wheel for Python 3.11 and needs Boost, so it gets an environment of its own:

    python -m venv confseq_env
    confseq_env/bin/pip install 'setuptools<70' wheel scikit-build cmake ninja pybind11 boost-headers
    PATH=$PWD/confseq_env/bin:$PATH CPLUS_INCLUDE_PATH=FOLDER_WITH_BOOST \
        CMAKE_ARGS="-DBoost_INCLUDE_DIR=FOLDER_WITH_BOOST -DCMAKE_POLICY_VERSION_MINIMUM=3.5" \
        confseq_env/bin/pip install --no-build-isolation confseq
    confseq_env/bin/python benchmarks/confidence_sequence_referee.py
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
COUNTS = (2, 10, 48, 100, 720, 10_000, 1_000_000)
ALPHAS = (0.2, 0.05, 0.0167, 0.001)
TARGETS = (50, 100, 10_000)
DEVIATIONS = (0.01, 0.15, 3.0)
BAR = 1e-9


def load_confidence_sequence() -> Any:
    """Return the module alone: its environment has none of the project's libraries."""
    path = ROOT / "pipeline/trials/confidence_sequence.py"
    spec = importlib.util.spec_from_file_location("confidence_sequence", path)
    if spec is None or spec.loader is None:
        raise FileNotFoundError(path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def main() -> None:
    """Print the largest difference and exit with 1 if it exceeds the bar."""
    from confseq.boundaries import normal_mixture_bound

    radius = load_confidence_sequence().mixture_radius
    largest, n_compared = 0.0, 0
    for alpha in ALPHAS:
        for target in TARGETS:
            for deviation in DEVIATIONS:
                for n in COUNTS:
                    bound = normal_mixture_bound(
                        n * deviation**2, alpha, v_opt=target * deviation**2, alpha_opt=alpha, is_one_sided=False
                    )
                    own = radius(n, deviation=deviation, alpha=alpha, target=target)
                    largest = max(largest, abs(own - bound / n) / own)
                    n_compared += 1
    print(f"{n_compared} bounds compared; largest relative difference {largest:.1e}, bar {BAR:.0e}")
    sys.exit(largest > BAR)


if __name__ == "__main__":
    main()
