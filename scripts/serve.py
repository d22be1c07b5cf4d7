"""Score photos over HTTP with a finished run: `python scripts/serve.py run=latest`.

    curl --data-binary @photo.png http://127.0.0.1:8000/predict
    curl --form file=@photo.png "http://127.0.0.1:8000/predict?map=true"
    curl http://127.0.0.1:8000/health
    curl http://127.0.0.1:8000/metrics

Options: run=RUN threshold=RULE log_dir=logs host=127.0.0.1 port=8000 threads=1, and the limits megabytes=20
megapixels=25 waiting=64 batch=32 wait_ms=2 read_seconds=10. It needs `pip install -e ".[serve]"`, and is served on this
machine alone unless host= says otherwise. Ctrl-C answers what is waiting, then ends.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import asdict

from anodice.app.key_values import Value, key_values
from anodice.app.process import keep_freed_memory, use_threads
from anodice.errors import AnodiceError
from anodice.prediction.predictor import Predictor
from anodice.service.limits import Limits

_DEFAULTS: dict[str, Value] = {
    "run": "latest",
    "threshold": "",
    "log_dir": "logs",
    "host": "127.0.0.1",
    "port": 8000,
    "threads": 1,
}
_SECONDS_TO_END = 10


def main(arguments: Sequence[str]) -> None:
    """Serve until Ctrl-C or SIGTERM."""
    if {"-h", "--help"} & set(arguments):
        print(__doc__)
        return
    options = key_values(arguments, _DEFAULTS | asdict(Limits()))
    limits = Limits(**{name: options[name] for name in asdict(Limits())})
    try:
        import uvicorn

        from anodice.service.service import create_app
    except ImportError as error:
        raise AnodiceError(
            f'expected FastAPI and uvicorn for the service, but {error.name} is missing; pip install -e ".[serve]".'
        ) from error
    keep_freed_memory()
    use_threads(options["threads"])
    predictor = Predictor.from_run(options["run"], threshold=options["threshold"] or None, log_dir=options["log_dir"])
    print(f"{predictor.settings.run}: {predictor.threshold.sentence()}")
    uvicorn.run(
        create_app(predictor, limits),
        host=options["host"],
        port=options["port"],
        access_log=False,
        timeout_graceful_shutdown=_SECONDS_TO_END,
    )


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except AnodiceError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
