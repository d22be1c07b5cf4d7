"""Measure the service under load, beside the predictor alone: `python scripts/load_test.py run=latest`.

The service is started on a free port of this machine, and asked for drawn dice by more and more clients at a time, for
`seconds` each. Every answer is compared with what the predictor says of that photo. Clients and service share the
machine's cores. The last column is the predictor alone, one photo at a time, measured just before. The exit status is 1
where an answer is wrong or missing.
"""

from __future__ import annotations

import argparse
import http.client
import io
import json
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from anodice.app.arguments import TOLD, as_options
from anodice.app.process import keep_freed_memory, use_threads
from anodice.dice.renderer import CLASSES, render
from anodice.errors import AnodiceError
from anodice.prediction.photos import Photo, photo_of_bytes
from anodice.prediction.prediction import Prediction
from anodice.prediction.predictor import BATCH, Predictor
from anodice.reporting.markdown import markdown_table

CLIENTS = (1, 4, 16, 48)
TOLERANCE = 1e-4
"""Of scores: batches of another size round differently."""

_START_SECONDS = 120


class Load(NamedTuple):
    """What came of some clients: seconds of each request, how long it took in all, wrong answers, mean batch."""

    seconds: list[float]
    wall: float
    wrong: int
    batch: float


def main(arguments: Sequence[str]) -> int:
    """The exit status."""
    parser = _parser()
    options = parser.parse_args(as_options(parser, arguments))
    keep_freed_memory()  # as the service does
    use_threads(options.threads)
    predictor = Predictor.from_run(options.run, log_dir=options.log_dir)
    files = drawn(options.photos)
    expected = [predictor.score([_decoded(file, predictor)])[0] for file in files]
    rows = [["what", "photos/s", "p50 ms", "p99 ms", "photos in a batch", "wrong", "photos/s of the predictor"]]
    for size in (1, BATCH):
        rows.append([f"predictor alone, {size} at a time", *_figures(alone(predictor, files, size), size), "0", ""])
    wrong = 0
    with served(options.run, options.log_dir, options.threads) as port:
        for clients in CLIENTS:
            before = alone(predictor, files, 1)  # beside other jobs only what is measured together compares
            load = under_load(port, files, expected, clients=clients, seconds=options.seconds)
            wrong += load.wrong
            rows.append([f"service, {clients} clients", *_figures(load, load.batch), str(load.wrong), _speed(before)])
    print(f"{predictor.settings.model}, {options.threads} threads\n")
    print(markdown_table(rows))
    return 1 if wrong else 0


def drawn(number: int) -> list[bytes]:
    """Drawn dice of all classes as PNG files."""
    generator = np.random.default_rng(0)
    return [_png(render(CLASSES[k % len(CLASSES)], generator, size=128).image) for k in range(number)]


def alone(predictor: Predictor, files: Sequence[bytes], size: int) -> Load:
    """Decode and score the photos, `size` at a time."""
    seconds, begin = [], time.perf_counter()
    for start in range(0, len(files) - size + 1, size):
        now = time.perf_counter()
        predictor.score([_decoded(file, predictor) for file in files[start : start + size]])
        seconds += [time.perf_counter() - now] * size
    return Load(seconds, time.perf_counter() - begin, 0, size)


def under_load(
    port: int, files: Sequence[bytes], expected: Sequence[Prediction], *, clients: int, seconds: float
) -> Load:
    """What clients, each with one request at a time, get within some seconds."""
    places, before, begin = count(), _batches(port), time.perf_counter()

    def client() -> tuple[list[float], int]:
        connection, taken, wrong = http.client.HTTPConnection("127.0.0.1", port, timeout=60), [], 0
        while time.perf_counter() < begin + seconds:
            k, now = next(places) % len(files), time.perf_counter()
            connection.request("POST", "/predict", body=files[k])
            answer = json.loads(connection.getresponse().read())
            taken.append(time.perf_counter() - now)
            wrong += not _same(answer, expected[k])
        connection.close()
        return taken, wrong

    with ThreadPoolExecutor(clients) as pool:
        found = [future.result() for future in [pool.submit(client) for _ in range(clients)]]
    wall, after = time.perf_counter() - begin, _batches(port)
    batch = (after[0] - before[0]) / max(after[1] - before[1], 1)
    return Load([one for taken, _ in found for one in taken], wall, sum(wrong for _, wrong in found), batch)


@contextmanager
def served(run: str, log_dir: Path, threads: int) -> Iterator[int]:
    """The service in a process of its own; the port it listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    script = str(Path(__file__).with_name("serve.py"))
    words = [f"run={run}", f"log_dir={log_dir}", f"port={port}", f"threads={threads}"]
    service = subprocess.Popen([sys.executable, script, *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _wait(service, port)
        yield port
    finally:
        service.send_signal(signal.SIGINT)
        service.wait(30)


def _wait(service: subprocess.Popen, port: int) -> None:
    end = time.monotonic() + _START_SECONDS
    while time.monotonic() < end and service.poll() is None:
        try:
            _get(port, "/health")
            return
        except OSError:
            time.sleep(0.2)
    raise AnodiceError("expected the service to start, but it did not; start it with python scripts/serve.py.")


def _get(port: int, path: str) -> str:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", path)
    text = connection.getresponse().read().decode()
    connection.close()
    return text


def _batches(port: int) -> tuple[float, float]:
    """Photos and batches so far."""
    text = _get(port, "/metrics")
    found = [re.search(rf"anodice_batch_photos_{name} (\S+)", text) for name in ("sum", "count")]
    return tuple(0.0 if one is None else float(one[1]) for one in found)


def _same(answer: dict, expected: Prediction) -> bool:
    if "score" not in answer:
        return False
    close = abs(answer["score"] - expected.score) <= TOLERANCE * max(1, abs(expected.score))
    return close and answer["verdict"] == expected.verdict


def _speed(load: Load) -> str:
    return f"{len(load.seconds) / load.wall:.0f}"


def _figures(load: Load, batch: float) -> list[str]:
    p50, p99 = np.quantile(load.seconds, [0.5, 0.99])
    return [_speed(load), f"{1000 * p50:.1f}", f"{1000 * p99:.1f}", f"{batch:.1f}"]


def _decoded(file: bytes, predictor: Predictor) -> Photo:
    settings = predictor.settings
    photo = photo_of_bytes(file, "photo", image_size=settings.frame, in_channels=settings.in_channels)
    assert isinstance(photo, Photo)
    return photo


def _png(pixels: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=TOLD, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--run", default="latest", help="run folder, its name under the logs, or %(default)s")
    parser.add_argument("--log-dir", type=Path, default=Path("logs"), help="where the runs are (%(default)s)")
    parser.add_argument("--seconds", type=float, default=10, help="of each load (%(default)s)")
    parser.add_argument("--photos", type=int, default=200, help="drawn dice to ask for (%(default)s)")
    parser.add_argument("--threads", type=int, default=1, help="of PyTorch, on either side (%(default)s)")
    return parser


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except AnodiceError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
