"""The service in this process: verdicts, refusals, limits, metrics, and files of all sorts."""

from __future__ import annotations

import asyncio
import base64
import io
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("fastapi", reason="needs FastAPI: pip install -e .[serve]")
pytest.importorskip("httpx", reason="needs httpx: pip install -e .[dev]")

from fastapi.testclient import TestClient

from anodice import Predictor
from anodice.errors import AnodiceError
from anodice.service.limits import Limits
from anodice.service.service import create_app
from tests.odd_files import ODD, claimed, encoded, grey, mutated

NAMES = ["two\nlines.png", "../../up.png", "-rf.png", "<script>alert(1)</script>.png"]


@pytest.fixture(scope="module")
def predictor(finished_run):
    return Predictor.from_run(finished_run)


@pytest.fixture
def serving(predictor):
    """Makes a client of a service with some limits."""
    clients = []

    def make(**limits):
        client = TestClient(create_app(predictor, Limits(**limits)))
        clients.append(client)
        return client.__enter__()

    yield make
    for client in clients:
        client.__exit__(None, None, None)


@pytest.fixture
def client(serving):
    return serving()


def refused(response, status):
    """The sentence of a refusal."""
    assert response.status_code == status
    assert list(response.json()) == ["error"]
    sentence = response.json()["error"]
    assert sentence.endswith(".")
    assert "\n" not in sentence
    return sentence


def test_verdicts_are_those_of_the_predictor_raw_or_as_a_form(client, predictor, dice_root):
    for path in sorted(dice_root.glob("test_set/*/*"))[:6]:
        expected = predictor(path)
        body = client.post("/predict", content=path.read_bytes()).json()
        form = client.post("/predict", files={"file": ("x.png", path.read_bytes())}).json()
        assert body == form
        assert body["score"] == pytest.approx(expected.score, rel=1e-6)
        assert body == {**expected.as_dict(), "path": "photo", "score": body["score"], "regions": body["regions"]}


def test_the_map_comes_when_asked_for(client, predictor, dice_root):
    path = next(dice_root.glob("test_set/ano/*"))
    found = client.post("/predict?map=true", content=path.read_bytes()).json()
    picture = np.asarray(Image.open(io.BytesIO(base64.b64decode(found["map"]))))
    assert np.array_equal(picture, np.asarray(predictor(path).overlay()))
    assert "map=true or map=false" in refused(client.post("/predict?map=maybe", content=b"x"), 400)


def test_many_at_once_get_their_own_answers(serving, predictor, dice_root):
    client = serving(wait_ms=20, waiting=500)
    paths = sorted(dice_root.glob("test_set/*/*"))
    expected = {path: predictor(path) for path in paths}
    with ThreadPoolExecutor(12) as pool:
        found = list(pool.map(lambda path: client.post("/predict", content=path.read_bytes()).json(), paths * 4))
    for path, answer in zip(paths * 4, found, strict=True):
        assert answer["score"] == pytest.approx(expected[path].score, rel=1e-5)
        assert answer["verdict"] == expected[path].verdict
    text = client.get("/metrics").text
    photos, batches = (_metric(text, f"anodice_batch_photos_{name}") for name in ("sum", "count"))
    assert photos == len(paths) * 4
    assert batches < photos


def _metric(text, name):
    return float(next(line.split()[-1] for line in text.splitlines() if line.startswith(f"{name} ")))


@pytest.mark.parametrize(
    ("content", "status", "words"),
    [
        (b"", 400, "got no byte"),
        (b"text", 422, "cannot identify image file"),
        (ODD["palette"][:60], 422, "cannot be decoded"),
        (encoded(grey(), "GIF"), 422, "cannot identify image file"),
        (claimed(30_000, 30_000), 422, "cannot be decoded"),
        (claimed(6_000, 6_000), 413, "at most 25 megapixels, got 36.0 megapixels"),
        (b"x" * (21 * 2**20), 413, "at most 20 MB"),
    ],
    ids=["empty", "text", "truncated", "GIF", "bomb", "pixels", "bytes"],
)
def test_what_is_no_photo_or_too_large_gets_a_sentence(client, content, status, words):
    assert words in refused(client.post("/predict", content=content), status)


@pytest.mark.parametrize("kind", ODD)
def test_odd_photos_get_a_verdict(client, kind):
    assert client.post("/predict", content=ODD[kind]).json()["verdict"] in ("normal", "anomalous")


@pytest.mark.parametrize("name", NAMES)
def test_names_of_clients_are_not_repeated(client, name):
    found = client.post("/predict", files={"file": (name, ODD["palette"])})
    assert found.status_code == 200
    assert found.json()["path"] == "photo"
    assert "script" not in refused(client.post("/predict", files={"file": (name, b"text")}), 422)


def test_forms_without_a_file_with_two_or_broken_ones(client):
    assert "a form without a file" in refused(client.post("/predict", files={"a": (None, "b")}), 400)
    two = [("a", ("a.png", ODD["palette"])), ("b", ("b.png", ODD["palette"]))]
    assert "cannot be read" in refused(client.post("/predict", files=two), 400)
    broken = {"content-type": "multipart/form-data"}
    assert "cannot be read" in refused(client.post("/predict", content=b"--x", headers=broken), 400)


def test_more_than_may_wait_are_turned_away(serving, predictor, monkeypatch):
    client, released = serving(waiting=2), asyncio.Event()

    async def forever(request, limits):
        await released.wait()
        return ODD["palette"]

    monkeypatch.setattr("anodice.service.service.receive", forever)
    with ThreadPoolExecutor(3) as pool:
        waiting = [pool.submit(client.post, "/predict", content=b"x") for _ in range(2)]
        while "anodice_waiting_requests 2.0" not in client.get("/metrics").text:
            pass
        turned = client.post("/predict", content=b"x")
        assert "2 requests are waiting" in refused(turned, 503)
        assert turned.headers["retry-after"] == "1"
        client.portal.call(released.set)
        assert {one.result().status_code for one in waiting} == {200}
    assert client.get("/metrics").text.count('anodice_failures_total{kind="busy"} 1.0') == 1


def test_a_slow_client_and_a_fault_of_ours_are_answered(serving, monkeypatch):
    async def slowly(self):
        await asyncio.sleep(5)

    client = serving(read_seconds=0.05)
    with monkeypatch.context() as patch:
        patch.setattr("starlette.requests.Request.body", slowly)
        assert "within 0.05 s" in refused(client.post("/predict", content=b"x"), 408)

    def broken(photos):
        raise RuntimeError("secret")

    monkeypatch.setattr(Predictor, "score", lambda self, photos: broken(photos))
    assert "secret" not in refused(client.post("/predict", content=ODD["palette"]), 500)


def test_elsewhere_health_and_limits(client, predictor):
    assert "POST /predict" in refused(client.get("/predict"), 405)
    assert "POST /predict" in refused(client.get("/../secret"), 404)
    told = client.get("/health").json()
    assert (told["status"], told["model"]) == ("ok", "template")
    assert told["threshold"] == predictor.threshold.sentence()
    with pytest.raises(AnodiceError, match="batch above 0, got 0"):
        Limits(batch=0)


def test_mutated_files_are_all_answered(client):
    statuses = []
    for data in mutated(400):
        found = client.post("/predict", content=data)
        statuses.append(found.status_code)
        if found.status_code != 200:
            assert len(refused(found, found.status_code)) > 20
    assert set(statuses) <= {200, 400, 413, 422}
    assert 20 < statuses.count(200) < 380
