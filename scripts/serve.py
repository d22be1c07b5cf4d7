"""Score photos over HTTP with a finished run: `python scripts/serve.py run=latest`.

    curl --data-binary @photo.png http://127.0.0.1:8000/predict
    curl --form file=@photo.png "http://127.0.0.1:8000/predict?map=true"
    curl http://127.0.0.1:8000/health
    curl http://127.0.0.1:8000/metrics

It needs `pip install -e ".[serve]"`, and is reached from this machine alone unless host= says otherwise. Ctrl-C answers
what is waiting, then ends.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

from anodice.app.arguments import TOLD, as_options
from anodice.app.process import keep_freed_memory, use_threads
from anodice.errors import AnodiceError
from anodice.prediction.predictor import Predictor
from anodice.service.limits import Limits

_SECONDS_TO_END = 10


def main(arguments: Sequence[str]) -> None:
    """Serve until Ctrl-C or SIGTERM."""
    parser = _parser()
    options = parser.parse_args(as_options(parser, arguments))
    limits = Limits(**{field.name: getattr(options, field.name) for field in fields(Limits)})
    try:
        import uvicorn

        from anodice.service.service import create_app
    except ImportError as error:
        raise AnodiceError(
            f'expected FastAPI and uvicorn for the service, but {error.name} is missing; pip install -e ".[serve]".'
        ) from error
    keep_freed_memory()
    use_threads(options.threads)
    predictor = Predictor.from_run(options.run, threshold=options.threshold, log_dir=options.log_dir)
    print(f"{predictor.settings.run}: {predictor.threshold.sentence()}")
    uvicorn.run(
        create_app(predictor, limits),
        host=options.host,
        port=options.port,
        access_log=False,
        timeout_graceful_shutdown=_SECONDS_TO_END,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=TOLD, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--run", default="latest", help="run folder, its name under the logs, or %(default)s")
    parser.add_argument("--threshold", metavar="RULE", help="another one of the run, such as normals_only")
    parser.add_argument("--log-dir", type=Path, default=Path("logs"), help="where the runs are (%(default)s)")
    parser.add_argument("--port", type=int, default=8000, help="(%(default)s)")
    parser.add_argument("--host", default="127.0.0.1", help="who may reach it: this machine (%(default)s)")
    parser.add_argument("--threads", type=int, default=1, help="of PyTorch (%(default)s)")
    for field in fields(Limits):
        option, told = f"--{field.name.replace('_', '-')}", f"{field.metadata['help']} (%(default)s)"
        parser.add_argument(option, type=type(field.default), default=field.default, help=told)
    return parser


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except AnodiceError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
