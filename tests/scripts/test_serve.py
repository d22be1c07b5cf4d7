"""The service as people start it: mistakes in a sentence, an orderly end, the same answers under load."""

from __future__ import annotations

import http.client
import json
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from anodice import Predictor

pytest.importorskip("uvicorn", reason="needs uvicorn: pip install -e .[serve]")
pytest.importorskip("fastapi", reason="needs FastAPI: pip install -e .[serve]")
pytestmark = pytest.mark.slow  # each test starts processes
SCRIPTS = Path(__file__).parents[2] / "scripts"


def script(name, *words):
    return [sys.executable, str(SCRIPTS / name), *words]


@pytest.mark.parametrize(
    ("word", "sentence"),
    [
        ("prot=1", "unrecognized arguments: prot=1"),
        ("port=many", "argument --port: invalid int value: 'many'"),
        ("batch=0", "expected batch above 0, got 0."),
        ("run=nowhere", "expected a run folder, got 'nowhere', which does not exist"),
    ],
)
def test_mistakes_get_a_sentence(word, sentence, tmp_path):
    done = subprocess.run(script("serve.py", word), capture_output=True, text=True, timeout=120, cwd=tmp_path)
    assert done.returncode == 2
    assert f"error: {sentence}" in done.stderr
    assert "Traceback" not in done.stderr


def test_it_listens_here_alone_and_answers_what_is_waiting_before_it_ends(finished_run, dice_root):
    photo, predictor = next(dice_root.glob("test_set/ano/*")), Predictor.from_run(finished_run)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = [f"run={finished_run}", f"port={port}", "wait_ms=2000"]
    service = subprocess.Popen(script("serve.py", *words), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    started = next(line for line in service.stdout if "running on" in line)
    assert f"http://127.0.0.1:{port}" in started
    answers = []
    asking = threading.Thread(target=lambda: answers.append(ask(port, photo.read_bytes())))
    asking.start()
    time.sleep(0.7)
    service.send_signal(signal.SIGTERM)
    asking.join(30)
    service.communicate(timeout=30)
    (answer,) = answers
    assert answer["score"] == pytest.approx(predictor(photo).score, rel=1e-6)


def ask(port, data):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("POST", "/predict", body=data)
    return json.loads(connection.getresponse().read())


def test_no_answer_is_wrong_under_load(finished_run, tmp_path):
    words = [f"run={finished_run}", "seconds=1", "photos=40"]
    done = subprocess.run(script("load_test.py", *words), capture_output=True, text=True, timeout=300, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    rows = [line for line in done.stdout.splitlines() if line.startswith("| service")]
    assert len(rows) == 4
    assert all(row.split("|")[-3].strip() == "0" for row in rows)
