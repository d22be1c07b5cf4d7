"""Exported models: each detector's scores, maps and classes in each runtime, and what their files tell."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf

from anodice import Predictor
from anodice.app.recipe import make
from anodice.baselines.template import COMPARISONS
from anodice.data.datamodule import DiceDataModule
from anodice.errors import AnodiceError
from anodice.evaluation.map_scale import MapScale
from anodice.models.detector import Detector
from anodice.prediction import from_export, from_run
from anodice.prediction.agreement import Agreement, agreement
from anodice.prediction.export import export
from anodice.prediction.exported import METADATA, SUFFIXES, settings_of, told
from anodice.prediction.from_run import DetectorNetwork
from anodice.prediction.settings import Settings
from anodice.thresholds.fitted import FittedThresholds
from anodice.thresholds.rules import Manual
from tests.runs import configured

for _package in ("onnx", "onnxscript", "onnxruntime"):
    pytest.importorskip(_package, reason="needs the extra export: pip install 'anodice[export]'")

DETECTORS = [
    *(["model=template", f"model.comparison={name}"] for name in COMPARISONS if name != "contours"),  # OpenCV's
    *([f"model={name}"] for name in ("conv_ae", "vae", "ae_classifier", "inception_cae", "defect_unet", "patchcore")),
    *([f"model={name}"] for name in ("fourier", "cnn", "dense_vae", "earlier_ae", "earlier_ae_classifier")),
    *(["model=conv_ae", f"score={name}"] for name in ("l1", "l2", "mse", "ssim", "ssim_mean")),
    *(["model=vae", f"score={name}"] for name in ("elbo", "kl")),
    ["model=dense_vae", "score=elbo"],
    ["model=conv_ae", "score.normalise=true"],
    ["model=ae_classifier", "score=template_ratio", "model.class_quantile=null"],
    ["model=inception_cae", "score=nearest_neighbour", "model.network.code=null"],
    ["model=inception_cae", "score=one_class_svm", "model.network.code=null"],
    ["model=local_memory"],
    ["model=local_memory", "model.memory.radius=null"],
    ["model=patchcore", "model/backbone=torchvision"],
    ["model=padim"],
    ["model=padim", "model/backbone=timm"],
    ["model=template", "model.comparison=mse", "model.own_other=0.75"],
    ["model=template", "model.comparison=mse", "model.own_other=0.75", "model.far_from=any"],
    ["model=fourier", "model.normalise=true"],
]
OPENVINO = (["model=conv_ae"], ["model=template", "model.comparison=mse"], ["model=fourier"])
FAST = OPENVINO
FORMATS = list(SUFFIXES)


@pytest.fixture(scope="session")
def fitted(dice_root, tmp_path_factory):
    """Makes a detector that has seen the drawn photos but was not trained, and the photos of validation."""

    def make_one(*overrides: str) -> tuple[Detector, DiceDataModule]:
        config = configured(dice_root, tmp_path_factory.mktemp("fitted"), *overrides)
        torch.manual_seed(0)
        detector = make(OmegaConf.to_container(config.model, resolve=True)).eval()
        config.data.augmentation = None
        data = make(OmegaConf.to_container(config.data, resolve=True))
        detector.fit(data.fit_batches(), data.held_out_batches())
        return detector, data

    return make_one


def settings_for(detector: Detector, scores: np.ndarray) -> Settings:
    """What a run would know, with a threshold in the middle of the scores."""
    ordered = np.unique(scores)
    middle = len(ordered) // 2
    value = float(ordered[max(0, middle - 1) : middle + 1].mean())
    threshold = Manual(value).fit([], [], fitted_on="nothing", split_digest="")
    return Settings(
        run="untrained",
        model="some",
        data="drawn",
        image_size=64,
        in_channels=1,
        orientation=None,
        classes=detector.classes or (),
        faces={"05": 4},
        scale=MapScale(0.0, 1.0, 0.5, "nothing"),
        thresholds=FittedThresholds(threshold, {"manual": threshold}, {}),
        threshold=threshold,
    )


def exported(detector: Detector, photos: np.ndarray, file: Path) -> Settings:
    settings = settings_for(detector, DetectorNetwork(detector)(photos).scores)
    export(detector, settings, file, format={suffix: name for name, suffix in SUFFIXES.items()}[file.suffix])
    return settings


def validation(data: DiceDataModule) -> np.ndarray:
    return data.photos.pixels[data.photos.rows[list(data.photos.split.validation)]]


@pytest.fixture(scope="session")
def models(fitted, tmp_path_factory) -> dict[str, Path]:
    """One detector that tells classes apart in each format."""
    folder = tmp_path_factory.mktemp("models")
    detector, data = fitted("model=template", "model.comparison=mse")
    files = {name: folder / f"model{suffix}" for name, suffix in SUFFIXES.items()}
    for name, file in files.items():
        if name == "openvino":
            pytest.importorskip("openvino", reason="needs the extra openvino")
        exported(detector, validation(data), file)
    return files


def cases():
    for overrides in DETECTORS:
        for runtime in FORMATS if overrides in OPENVINO else ["onnx"]:
            marks = () if overrides in FAST and runtime == "onnx" else pytest.mark.slow
            yield pytest.param(overrides, runtime, id=f"{' '.join(overrides)} {runtime}", marks=marks)


@pytest.mark.parametrize(("overrides", "runtime"), list(cases()))
def test_scores_verdicts_maps_and_classes_are_those_of_the_detector(overrides, runtime, fitted, tmp_path):
    if runtime == "openvino":
        pytest.importorskip("openvino", reason="needs the extra openvino")
    detector, data = fitted(*overrides)
    photos, file = validation(data), tmp_path / f"model{SUFFIXES[runtime]}"
    settings, ours = exported(detector, photos, file), DetectorNetwork(detector)
    theirs, _ = from_export.load(file, None, trusted=True)
    found = agreement(ours, theirs, photos, settings)
    assert found.share <= 1e-4, found.sentence()
    assert found.verdicts == 0
    for count in (1, 3, 32):
        batch = np.resize(photos, (count, *photos.shape[1:]))
        told, expected = theirs(batch), ours(batch)
        assert (told.maps.shape, told.maps.dtype) == (expected.maps.shape, np.float32)
        assert (told.scores.shape, told.scores.dtype) == ((count,), np.float64)
        scale = max(1.0, float(np.abs(expected.maps).max()))
        assert np.quantile(np.abs(told.maps - expected.maps), 0.999) <= 1e-3 * scale
        assert (told.classes is None) == (expected.classes is None)
        if expected.classes is not None:
            assert told.classes.dtype == np.int64
            assert np.array_equal(told.classes, expected.classes)


@pytest.mark.slow
def test_a_class_without_photos_is_never_taken(fitted, tmp_path):
    for model in (["model=template", "model.comparison=mse"], ["model=fourier"]):
        detector, data = fitted(*model)
        detector.photos[[0, 4]] = 0
        detector.eval()
        photos, file = validation(data), tmp_path / f"{model[0]}.onnx"
        exported(detector, photos, file)
        theirs, ours = from_export.load(file, None, trusted=False)[0](photos), DetectorNetwork(detector)(photos)
        assert np.array_equal(theirs.classes, ours.classes)
        assert np.abs(theirs.scores - ours.scores).max() <= 1e-4


@pytest.fixture(scope="module")
def model_of_run(finished_run, tmp_path_factory) -> Path:
    """The finished run as one model."""
    ours, settings = from_run.load(finished_run, None, log_dir=Path("logs"), device="cpu")
    file = tmp_path_factory.mktemp("model") / "model.onnx"
    export(ours.detector, settings, file, format="onnx")
    return file


def test_predictions_are_those_of_the_run_regions_and_all(model_of_run, finished_run, dice_root):
    ours, theirs = (
        Predictor.from_run(finished_run, threshold=0.0)(dice_root / "test_set"),
        Predictor.from_export(model_of_run, threshold=0.0)(dice_root / "test_set"),
    )
    assert len(ours) == len(theirs) > 20
    for one, other in zip(ours, theirs, strict=True):
        assert other.score == pytest.approx(one.score, abs=1e-6)
        assert (other.verdict, other.cut, other.class_name, other.face) == (
            one.verdict,
            one.cut,
            one.class_name,
            one.face,
        )
        assert [region.box for region in other.regions] == [region.box for region in one.regions]
        assert [region.area for region in other.regions] == [region.area for region in one.regions]


def test_the_file_tells_what_the_run_knows(model_of_run, finished_run):
    expected = from_run.load(finished_run, None, log_dir=Path("logs"), device="cpu")[1]
    found = Predictor.from_export(model_of_run)
    assert found.settings == expected
    assert found.threshold.split_digest == json.loads((finished_run / "split.json").read_text())["digest"]
    assert Predictor.from_export(model_of_run, threshold="normals_only").threshold.rule == "normals_only"
    with pytest.raises(AnodiceError, match="did you mean 'normals_only'"):
        Predictor.from_export(model_of_run, threshold="normal_only")


@pytest.mark.parametrize("runtime", [pytest.param(name, marks=pytest.mark.slow) for name in FORMATS])
def test_each_format_keeps_what_the_run_knows(runtime, models):
    settings = Predictor.from_export(models[runtime], trusted=True).settings
    assert (settings.run, settings.faces, settings.threshold.rule) == ("untrained", {"05": 4}, "manual")


def test_no_line_of_code_nor_folder_is_in_the_file(model_of_run):
    assert str(Path(from_run.__file__).parent).encode() not in model_of_run.read_bytes()


_WITHOUT_TORCH = """
import sys

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in sys.argv[3].split(","):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Missing())
from anodice import Predictor
predictor = Predictor.from_export(sys.argv[1])
print(predictor(sys.argv[2]).score)
"""


@pytest.mark.slow
@pytest.mark.parametrize("runtime", ["onnx", "openvino"])
def test_neither_torch_nor_what_the_commands_need_is_imported(runtime, models, dice_root):
    photo = sorted((dice_root / "test_set" / "05").iterdir())[0]
    missing = (
        "torch,torchvision,pytorch_lightning,torchmetrics,hydra,omegaconf,matplotlib,tensorboard,rich,onnx,onnxscript"
    )
    done = subprocess.run(
        [sys.executable, "-c", _WITHOUT_TORCH, str(models[runtime]), str(photo), missing],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) == pytest.approx(Predictor.from_export(models[runtime])(photo).score, abs=1e-9)


def test_torch_files_ask_for_trust(models):
    with pytest.raises(AnodiceError, match="may run code"):
        Predictor.from_export(models["torch_export"])


def test_a_torch_file_of_others_is_not_loaded(tmp_path, monkeypatch):
    monkeypatch.setattr(torch.export, "load", lambda *_: pytest.fail("loaded"))
    with zipfile.ZipFile(tmp_path / "model.pt2", "w") as archive:
        archive.writestr("model/data.pkl", b"cos\nsystem\n(S'touch pwned'\ntR.")
    with pytest.raises(AnodiceError, match="tells nothing of a run"):
        Predictor.from_export(tmp_path / "model.pt2", trusted=True)


@pytest.mark.parametrize("name", ["photo.png", "run", "missing.onnx"])
def test_what_is_no_model_is_refused(name, tmp_path):
    if name == "photo.png":
        (tmp_path / name).write_bytes(b"\x89PNG")
    with pytest.raises(AnodiceError, match=r"expected a model that export\.py has written"):
        Predictor.from_export(tmp_path / name)


@pytest.mark.parametrize("keep", [0, 10, 0.5, 0.99])
@pytest.mark.parametrize("runtime", [pytest.param(name, marks=pytest.mark.slow) for name in FORMATS])
def test_a_damaged_file_is_a_sentence(runtime, keep, models, tmp_path):
    whole = models[runtime].read_bytes()
    damaged = tmp_path / models[runtime].name
    damaged.write_bytes(whole[: keep if isinstance(keep, int) else int(keep * len(whole))])
    with pytest.raises(AnodiceError, match=r"model\.\w+"):
        Predictor.from_export(damaged, trusted=True)


def with_metadata(file: Path, text: str | None, to: Path) -> Path:
    import onnx

    model = onnx.load(file)
    del model.metadata_props[:]
    if text is not None:
        model.metadata_props.add(key=METADATA, value=text)
    onnx.save(model, to)
    return to


@pytest.mark.parametrize(
    ("text", "match"),
    [
        (None, "tells nothing of a run"),
        ("", "is damaged"),
        ("[]", "is damaged"),
        ('{"format": "x"}', "is damaged"),
        ('{"format": 99}', "later version"),
        ('{"format": 1}', "is damaged"),
        ('{"format": 1, "settings": {}}', "is missing"),
    ],
)
def test_what_a_file_tells_may_be_damaged(text, match, model_of_run, tmp_path):
    with pytest.raises(AnodiceError, match=match):
        Predictor.from_export(with_metadata(model_of_run, text, tmp_path / "model.onnx"))


@pytest.mark.parametrize(
    "orientation",
    [
        {"_target_": "os.system", "command": "touch pwned"},
        {"_target_": "anodice.dice.dataset.write_synthetic", "root": "pwned"},
        {"_target_": "anodice.dice.orientation.Upright", "x": {"_target_": "anodice.dice.dataset.write_synthetic"}},
        {"_target_": 3},
        {},
        "anodice.dice.orientation.Upright",
    ],
)
def test_nothing_foreign_is_built(orientation, model_of_run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    settings = Predictor.from_export(model_of_run).settings
    found = json.loads(told(settings))
    found["settings"]["orientation"] = orientation
    with pytest.raises(AnodiceError, match=r"model\.onnx"):
        Predictor.from_export(with_metadata(model_of_run, json.dumps(found), tmp_path / "model.onnx"))
    assert [path.name for path in tmp_path.iterdir()] == ["model.onnx"]


def test_a_graph_that_takes_other_photos_than_it_tells_is_refused(model_of_run, tmp_path):
    found = json.loads(told(Predictor.from_export(model_of_run).settings))
    found["settings"]["image_size"] = 128
    with pytest.raises(AnodiceError, match=r"\(128, 128, 1\)"):
        Predictor.from_export(with_metadata(model_of_run, json.dumps(found), tmp_path / "model.onnx"))


def test_another_model_is_refused(tmp_path):
    from onnx import TensorProto, helper, save

    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in ("x", "y")]
    graph = helper.make_graph([helper.make_node("Abs", ["x"], ["y"])], "other", ends[:1], ends[1:])
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10), tmp_path / "model.onnx")
    with pytest.raises(AnodiceError, match="which takes x and gives y"):
        Predictor.from_export(tmp_path / "model.onnx")


def test_photos_that_are_turned_upright_are_turned_outside_of_the_graph(model_of_run, dice_root, tmp_path, monkeypatch):
    found = json.loads(told(Predictor.from_export(model_of_run).settings))
    found["settings"]["orientation"] = {"_target_": "anodice.dice.orientation.Upright"}
    file = with_metadata(model_of_run, json.dumps(found), tmp_path / "model.onnx")
    photo = sorted((dice_root / "test_set" / "07").iterdir())[0]
    assert not np.array_equal(
        Predictor.from_export(file)(photo).photo, Predictor.from_export(model_of_run)(photo).photo
    )
    monkeypatch.setattr(from_export.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(AnodiceError, match="expected torch"):
        Predictor.from_export(file)


def test_a_runtime_that_is_not_installed_is_named(model_of_run, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(AnodiceError, match=r"expected onnxruntime .* pip install 'anodice\[onnx\]'"):
        Predictor.from_export(model_of_run)


def test_what_writes_a_format_is_named_where_it_is_not_installed(fitted, tmp_path, monkeypatch):
    detector, data = fitted("model=template", "model.comparison=mse")
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(AnodiceError, match=r"expected onnxscript .* pip install 'anodice\[export\]'"):
        exported(detector, validation(data), tmp_path / "model.onnx")


def test_a_detector_that_is_no_graph_says_so(fitted, tmp_path):
    detector, data = fitted("model=template", "model.comparison=mse")

    class Counting(type(detector)):
        def assess(self, images):
            found = super().assess(images)
            return found._replace(scores=found.scores * int(found.scores.sum()))

    detector.__class__ = Counting
    with pytest.raises(AnodiceError, match="Counting cannot"):
        exported(detector, validation(data), tmp_path / "model.onnx")


def test_scores_beyond_one_count_by_their_share():
    photos = np.zeros((2, 8, 8, 1), np.uint8)

    def network(*scores):
        from anodice.prediction.network import Outputs

        return lambda given: Outputs(np.zeros((2, 8, 8), np.float32), np.array(scores), None)

    threshold = Manual(0.5).fit([], [], fitted_on="nothing", split_digest="")
    settings = Settings(
        *("r", "m", "d", 8, 1, None, (), {}),
        MapScale(0.0, 1.0, 0.5, ""),
        FittedThresholds(threshold, {"manual": threshold}, {}),
        threshold,
    )
    found = agreement(network(0.49, 200.0), network(0.51, 200.01), photos, settings)
    assert found == Agreement(2, pytest.approx(0.02), pytest.approx(0.02), 1)
    assert not found.holds
    assert agreement(network(0.4, 200.0), network(0.4, 200.01), photos, settings).holds
    assert "0.01 (5e-05 in units" in agreement(network(0.4, 200.0), network(0.4, 200.01), photos, settings).sentence()


def test_settings_survive_the_words(model_of_run):
    settings = Predictor.from_export(model_of_run).settings
    assert settings_of(told(settings), model_of_run) == settings
