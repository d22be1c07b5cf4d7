"""The page in a real browser: photos are dropped, verdicts are read, the threshold is moved, files that are none."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from anodice import Predictor
from anodice.page.own_photos import examples, photo_root
from anodice.page.runs import open_run
from anodice.page.thresholds import figures, reached

pytest.importorskip("streamlit", reason="the page needs Streamlit: pip install -e .[app]")
playwright = pytest.importorskip(
    "playwright.sync_api", reason="the browser test needs playwright: pip install playwright"
)

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="the browser test needs Chromium: apt-get install chromium"),
]
SCRIPT = Path(__file__).parents[2] / "scripts" / "app.py"
HEIGHT = 1600


@contextmanager
def served(logs, folder):
    """The page over a folder of logs; its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, str(SCRIPT), f"--log-dir={logs}", f"--port={port}"]
    environment = {**os.environ, "PYTHONPATH": str(SCRIPT.parents[1])}
    server = subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        _wait(server, f"http://127.0.0.1:{port}/_stcore/health")
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(30)


def _wait(server, address):
    end = time.monotonic() + 120
    while time.monotonic() < end:
        assert server.poll() is None, "the page ended at once"
        try:
            urllib.request.urlopen(address, timeout=5)
            return
        except OSError:
            time.sleep(0.2)
    raise AssertionError("the page did not start")


@pytest.fixture(scope="module")
def run(finished_run, tmp_path_factory):
    """A run folder with a twin beside it; the older of the two."""
    runs = tmp_path_factory.mktemp("page") / "logs" / "runs"
    for age, name in enumerate(("tiny", "twin")):
        shutil.copytree(finished_run, runs / name)
        os.utime(runs / name / "checkpoints" / "best.ckpt", (1e9 - age, 1e9 - age))
    return runs / "tiny"


@pytest.fixture(scope="module")
def photos(run, dice_root, tmp_path_factory):
    """A drawn die that the run passes as normal, and the same with a black square painted on it."""
    folder, predictor = tmp_path_factory.mktemp("photos"), Predictor.from_run(run)
    normal = next(p for p in sorted(dice_root.glob("test_set/0*/*")) if not predictor(p).anomalous)
    pixels = np.array(Image.open(normal))
    pixels[10:40, 10:40] = 0
    Image.open(normal).save(folder / "normal.png", "PNG")
    Image.fromarray(pixels).save(folder / "painted.png", "PNG")
    assert predictor(folder / "painted.png").anomalous
    return folder


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as started:
        chromium = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def address(run, tmp_path_factory):
    with served(run.parents[1], tmp_path_factory.mktemp("cwd")) as address:
        yield address


@pytest.fixture
def page(browser, address):
    """The page, fresh, with anything that it says in a dialog an error."""
    context = browser.new_context(viewport={"width": 1400, "height": HEIGHT})
    page, dialogs = context.new_page(), []
    page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    page.goto(address)
    page.get_by_test_id("stFileUploader").first.wait_for(timeout=180_000)
    yield page
    assert dialogs == []
    context.close()


def drop(page, *files, place=0):
    page.locator("input[type=file]").nth(place).set_input_files(files)


def remove(page, name):
    """Take a photo away, and wait until the page has seen it: what is dropped meanwhile is lost."""
    page.get_by_role("button", name=f"Remove {name}").click()
    page.get_by_test_id("stAlert").filter(has_text=name).first.wait_for(state="detached", timeout=180_000)


def said(page, words):
    """The alert with these words, once it is there."""
    alert = page.get_by_test_id("stAlert").filter(has_text=words).first
    alert.wait_for(timeout=180_000)
    return " ".join(alert.inner_text().split())


def shows(page, words):
    page.get_by_text(words).first.wait_for(timeout=180_000)


def sentence(prediction):
    return prediction.sentence().replace(">=", "≥")  # as Streamlit sets it


def metrics(page):
    return [text.split()[-1] for text in page.get_by_test_id("stMetric").all_inner_texts()]


def test_a_normal_and_a_painted_die_get_the_verdicts_of_the_predictor(page, run, photos):
    predictor = Predictor.from_run(run)
    drop(page, photos / "painted.png")
    told = said(page, "painted.png")
    assert sentence(predictor(photos / "painted.png")) in told
    shows(page, "Regions that raise the alarm")
    shows(page, "Anomaly map over the photo")
    remove(page, "painted.png")
    drop(page, photos / "normal.png")
    assert sentence(predictor(photos / "normal.png")) in said(page, "normal.png")
    shows(page, "Template of")


def test_the_slider_changes_figures_and_verdict(page, run, photos):
    opened = open_run(run)
    drop(page, photos / "painted.png")
    said(page, "painted.png is anomalous")
    own = figures(reached(opened.predictor.threshold, opened.scores.validation))
    assert metrics(page) == list(own.values())
    page.get_by_role("slider").press("End")
    assert "normal: score" in said(page, "painted.png is normal")
    assert metrics(page) == ["0.000", "n/a", "0.000"]
    page.get_by_role("button", name="f1_max").click()
    said(page, "painted.png is anomalous")
    assert metrics(page) == list(own.values())


@pytest.mark.parametrize(
    ("name", "content"), [("text.png", b"hello"), ("empty.png", b""), ("<img src=x onerror=alert(1)>.png", b"hello")]
)
def test_a_file_that_is_no_photo_gets_a_sentence(page, name, content):
    drop(page, {"name": name, "mimeType": "image/png", "buffer": content})
    assert said(page, "give a JPEG, PNG, BMP, TIFF or WEBP").startswith(name)


def test_names_are_words_only(page, photos):
    name = "<script>alert(1)</script> ![x](http://127.0.0.1/x) **b**.png"
    drop(page, {"name": name, "mimeType": "image/png", "buffer": (photos / "normal.png").read_bytes()})
    assert "**b**.png is normal" in said(page, "is normal")
    assert page.locator("img[src*='127.0.0.1/x']").count() == 0


def test_several_photos_give_a_table_and_a_csv(page, photos):
    drop(page, photos / "normal.png", photos / "painted.png")
    shows(page, "1 of 2 photos are anomalous")
    with page.expect_download() as download:
        page.get_by_role("button", name="Download predictions.csv").click()
    lines = Path(download.value.path()).read_text().splitlines()
    assert [line.split(",")[:2] for line in lines[1:]] == [["painted.png", "anomalous"], ["normal.png", "normal"]]


def test_a_photo_that_the_run_was_tested_on_can_be_picked(page, run):
    path = examples(open_run(run))[0]
    page.get_by_role("combobox", name="or pick some").click()
    page.get_by_role("option", name=path).click()
    verdict = "anomalous" if Predictor.from_run(run)(photo_root(open_run(run)) / path).anomalous else "normal"
    said(page, f"{path} is {verdict}")


def test_two_runs_and_the_errors_have_tabs(page, run, photos):
    page.get_by_role("tab", name="Two runs").click()
    drop(page, photos / "painted.png", place=1)
    page.get_by_text("painted.png is anomalous").nth(1).wait_for(timeout=180_000)
    page.get_by_role("tab", name="Errors of the run").click()
    shows(page, "test photos are judged wrongly")
    page.get_by_text("False alarms", exact=True).click()
    shows(page, "One by one")


@pytest.mark.parametrize(("scheme", "width"), [("light", 400), ("dark", 1400)])
def test_nothing_is_wider_than_the_window(browser, address, photos, scheme, width):
    context = browser.new_context(viewport={"width": width, "height": HEIGHT}, color_scheme=scheme)
    page = context.new_page()
    page.goto(address)
    page.get_by_test_id("stFileUploader").first.wait_for(timeout=180_000)
    drop(page, photos / "painted.png")
    said(page, "painted.png")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    context.close()


def test_without_a_run_a_training_is_offered(browser, tmp_path):
    with served(tmp_path / "logs", tmp_path) as address:
        page = browser.new_page()
        page.goto(address)
        shows(page, "There is no finished run under")
        assert page.get_by_role("button", name="Train").is_enabled()
        page.close()
