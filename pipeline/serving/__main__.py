"""Serve a model: `python -m pipeline.serving --model-name NAME`, the same as `mlops serve`."""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path

from pipeline.errors import MlopsError
from pipeline.serving.server_startup import AUTHENTICATION_MODES, STAGES, start_server


def _parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m pipeline.serving", description="Serve a registered model over HTTP, until it is stopped."
    )
    parser.add_argument("--model-name", help="name in the registry; that of the settings when left out")
    parser.add_argument("--stage", choices=STAGES, default="Production")
    parser.add_argument("--host", help="address to listen on; serving.host when left out")
    parser.add_argument("--port", type=int, help="port; 0 takes a free one; serving.port when left out")
    parser.add_argument("--state", type=Path, help="folder with state database and packages; found from here")
    parser.add_argument("--authentication", choices=AUTHENTICATION_MODES, help="as in the settings when left out")
    return parser.parse_args()


def main() -> None:
    """Run the server and end the process with its exit code."""
    words = _parse_args()
    try:
        start_server(
            state=words.state,
            model=words.model_name,
            stage=words.stage,
            host=words.host,
            port=words.port,
            authentication=words.authentication,
        )
    except MlopsError as error:
        sys.stderr.write(f"mlops: {error}\n")
        sys.exit(error.exit_code)
    except Exception:
        logging.getLogger(__name__).exception("mlops: this is a bug of ours; please report what stands below")
        sys.exit(MlopsError.exit_code)


if __name__ == "__main__":
    main()
