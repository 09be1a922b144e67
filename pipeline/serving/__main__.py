"""Serve a model: `python -m pipeline.serving --model NAME`, the same as `mlops serve`."""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path

from pipeline.errors import MlopsError
from pipeline.project.root import require_project
from pipeline.serving.server_startup import AUTHENTICATION_MODES, SERVED_STAGES, start_server


def _parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m pipeline.serving", description="Serve a registered model over HTTP until SIGTERM or SIGINT."
    )
    parser.add_argument("--model", help="name in the registry; default: name of the settings")
    parser.add_argument("--stage", choices=SERVED_STAGES, default="Production")
    parser.add_argument("--host", help="address to listen on; default: serving.host")
    parser.add_argument("--port", type=int, help="port, 0 for a free one; default: serving.port")
    parser.add_argument("--grpc-port", type=int, help="port of gRPC, 0 for a free one; default: serving.grpc_port")
    parser.add_argument(
        "--state", type=Path, help="folder with state database and packages; default: the nearest project"
    )
    parser.add_argument("--authentication", choices=AUTHENTICATION_MODES, help="default: serving.authentication")
    parser.add_argument("--dashboard", action="store_true", help="run the dashboard beside the API")
    return parser.parse_args()


def main() -> None:
    """Run the server and exit with its exit code."""
    args = _parse_args()
    try:
        require_project(args.state)
        start_server(
            state=args.state,
            model=args.model,
            stage=args.stage,
            host=args.host,
            port=args.port,
            grpc_port=args.grpc_port,
            authentication=args.authentication,
            with_dashboard=args.dashboard,
        )
    except MlopsError as error:
        sys.stderr.write(f"mlops: {error}\n")
        sys.exit(error.exit_code)
    except Exception:
        logging.getLogger(__name__).exception("mlops: internal error; please report the traceback below")
        sys.exit(MlopsError.exit_code)


if __name__ == "__main__":
    main()
