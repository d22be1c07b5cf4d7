"""The gallery shows the right images, and the pixel figures are those of the maps: with a template detector."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from anodice.baselines.template import Template
from anodice.evaluation.inference import score_photos
from anodice.evaluation.pixel_metrics import PIXEL_FIGURES, pixel_figures
from anodice.evaluation.score_table import score_table
from anodice.metrics.pixel import PixelCounts
from anodice.reporting.visualise import codes_of, detector_figures, errors, sample, sample_panels
from anodice.thresholds.normals import NormalQuantile
from anodice.thresholds.rules import Manual
from tests.detectors import auto_encoder


def _fitted(data):
    settings = {"comparison": "mse", "own_other": None, "class_quantile": None, "image_size": 64, "in_channels": 1}
    detector = Template(classes=data.classes, **settings).eval()
    detector.fit(data.fit_batches(), data.held_out_batches())
    return detector


def _table(scored, data):
    photos = data.photos
    return score_table(photos.records, photos.split, scored.scores, scored.classes)


@pytest.fixture
def scored(data_module, dice_root):
    data = data_module(dice_root)
    detector = _fitted(data)
    everything = score_photos(detector, data)
    return detector, data, everything, _table(everything, data)


def _threshold(value):
    return Manual(value).fit([], [], fitted_on="validation", split_digest="")


def test_galleries_hold_the_misses_the_false_alarms_and_the_nearest(scored):
    detector, data, everything, table = scored
    threshold = _threshold(float(np.median(table.published.score)))
    found = errors(detector, data, everything, table, threshold, title="a run", most=4)
    test = table.published
    flags = threshold.flags(test.score)
    expected = {
        "misses": test.path[np.argsort(test.score)][(~flags & test.label)[np.argsort(test.score)]][:4],
        "false_alarms": test.path[np.argsort(-test.score)][(flags & ~test.label)[np.argsort(-test.score)]][:4],
    }
    for name, paths in expected.items():
        assert [caption.split()[0] for caption in found[name].captions] == paths.tolist()
    order = np.sort(test.score)
    above, below = order[order >= threshold.value][:2][::-1], order[order < threshold.value][::-1][:2]
    nearest = [float(re.search(r"score (\S+)", c)[1]) for c in found["nearest"].captions]
    assert nearest == pytest.approx([*above, *below], rel=1e-3)


def test_galleries_are_of_the_clean_test(data_module, writable_dice):
    source = next((writable_dice / "train_set" / "00").iterdir())
    shutil.copy(source, writable_dice / "test_set" / "00" / "copy.png")
    data = data_module(writable_dice)
    detector = _fitted(data)
    everything = score_photos(detector, data)
    found = errors(detector, data, everything, _table(everything, data), _threshold(-1.0), title="a run", most=50)
    title = found["false_alarms"].title.splitlines()
    assert title[:2] == ["a run", "22 of 22 normal images of the clean test falsely flagged"]
    assert len(found["false_alarms"].captions) == 22
    assert not any("copy.png" in caption for shown in found.values() for caption in shown.captions)


def test_captions_say_score_threshold_and_verdict(scored):
    detector, data, everything, table = scored
    captions = errors(detector, data, everything, table, _threshold(-1.0), title="a run")["false_alarms"].captions
    assert len(captions) == 12
    assert all(caption.endswith(">= -1, normal: false alarm") for caption in captions)


def test_thresholds_by_class_are_shown_as_they_apply(scored):
    detector, data, everything, table = scored
    by_class = {name: 10.0 + k for k, name in enumerate(data.classes)}
    threshold = replace(_threshold(5.0), by_class=by_class)
    for caption in errors(detector, data, everything, table, threshold, title="a run")["misses"].captions:
        taken = re.search(r"taken for (\w+)", caption)[1]
        assert f"< {by_class[taken]:.4g}, anomalous: missed" in caption


def test_an_empty_gallery_says_so(scored):
    detector, data, everything, table = scored
    shown = errors(detector, data, everything, table, _threshold(1e9), title="a run")["false_alarms"]
    figure = shown.page()
    assert figure.texts[0].get_text().startswith("a run\n0 of 22 normal images of the test falsely flagged")
    assert (figure.axes, shown.cards(6)) == ([], [])


def test_panels_outline_the_masks_under_the_runs_title(scored):
    detector, data, everything, _ = scored
    figures = sample_panels(detector, data, of_each=2, title="a run", scored=everything)
    outlined = {name: any(axis.collections for axis in figure.axes[:4]) for name, figure in figures.items()}
    assert outlined == {"panels_normal": False, "panels_anomalous": True}
    assert figures["panels_normal"].texts[0].get_text() == "a run\nnormal validation photos"


def test_photos_watched_in_a_training_are_those_of_its_end(scored):
    detector, data, everything, _ = scored
    early, late = (sample(detector, data, of_each=2, scored=s) for s in (None, everything))
    assert set(late) == {"normal", "anomalous"}
    for name in late:
        assert early[name].captions == late[name].captions
        assert np.allclose(early[name].maps, late[name].maps, atol=1e-5)


def test_maps_are_shown_relative_to_those_of_normal_photos(scored):
    detector, data, everything, _ = scored
    shown = sample(detector, data, of_each=4, scored=everything)
    normals = [i for i in data.photos.split.validation if not data.photos.records[i].anomalous]
    chosen = [normals[round(k)] for k in np.linspace(0, len(normals) - 1, min(16, len(normals)))]
    low, high = np.quantile(everything.maps_of(chosen), [0.001, 0.999])
    again = replace(everything, maps=3 * np.asarray(everything.maps) + 5)  # another detector's units
    other = sample(detector, data, of_each=4, scored=again)
    for name in shown:
        assert np.allclose(shown[name].maps, other[name].maps, atol=1e-4)
    record = data.photos.records[chosen[0]]
    assert shown["normal"].captions[0].startswith(record.path)
    assert np.allclose(shown["normal"].maps[0, 0], (everything.maps_of(chosen[:1])[0] - low) / (high - low), atol=1e-5)


def test_a_detector_shows_its_templates_and_has_no_codes(scored):
    detector, data, _, table = scored
    assert codes_of(detector, data, table) is None
    (figure,) = detector_figures(detector, None, title="a run").values()
    assert [axis.get_title() for axis in figure.axes[:11]] == list(data.classes)


def test_codes_come_with_their_photos_and_rows(data_module, dice_root):
    data = data_module(dice_root)
    detector = auto_encoder().eval()
    everything = score_photos(detector, data)
    table = _table(everything, data)
    found = codes_of(detector, data, table, most=10)
    assert (found.codes.shape, found.images.shape) == ((10, 4), (10, 1, 64, 64))
    last = data.photos.records.index(next(r for r in data.photos.records if r.path == found.rows.path[-1]))
    batch = next(iter(data.evaluation_batches([last])))
    assert np.allclose(found.images[-1], batch["image"][0])
    with torch.no_grad():
        assert np.allclose(found.codes[-1], detector.network.encoder(batch["image"])[0], atol=1e-5)
    assert set(detector_figures(detector, found, title="a run")) == {"latent"}


def test_pixel_figures_are_those_of_all_maps_at_once(scored):
    detector, data, everything, _ = scored
    found = pixel_figures(everything, data.photos)
    split, records = data.photos.split, data.photos.records

    def everything(indices):
        maps = [detector(batch["image"]).maps[:, 0] for batch in data.evaluation_batches(indices)]
        masks = [np.zeros((64, 64), bool) if not records[i].anomalous else data.photos.mask(i) for i in indices]
        return np.concatenate(maps), np.stack(masks)

    maps, masks = everything(split.validation)
    threshold, _ = PixelCounts(maps, masks).best_f1()
    maps, masks = everything(split.test)
    counts = PixelCounts(maps, masks, threshold=threshold)
    published = found["published"]
    assert published["auroc"] == pytest.approx(counts.auroc, abs=1e-12)
    assert published["aupro"] == pytest.approx(counts.aupro(), abs=1e-12)
    assert (published["f1_max"], published["threshold"]) == (pytest.approx(counts.f1), threshold)
    assert published["f1_max"] <= published["f1_max_oracle"] == pytest.approx(counts.best_f1()[1])
    assert (published["images_with_masks"], published["normals"]) == (8, 22)
    assert re.fullmatch(r"validation: \d+ normal, 12 with masks", published["fitted_on"])
    assert set(found) == {"published", "clean"}


def test_clean_pixel_figures_leave_out_copies_of_training_photos(data_module, writable_dice):
    source = next((writable_dice / "train_set" / "00").iterdir())
    shutil.copy(source, writable_dice / "test_set" / "00" / source.name)
    data = data_module(writable_dice)
    found = pixel_figures(score_photos(_fitted(data), data), data.photos)
    assert (found["published"]["normals"], found["clean"]["normals"]) == (23, 22)
    assert found["published"]["auroc"] != found["clean"]["auroc"]


def test_without_masks_there_is_a_reason(data_module, writable_dice):
    shutil.rmtree(writable_dice / "ground_truth")
    data = data_module(writable_dice)
    found = pixel_figures(score_photos(_fitted(data), data), data.photos)["clean"]
    assert all(found[name] is None for name in PIXEL_FIGURES)
    assert found["reason"] == "no anomalous test image has a mask of its defects"
    assert (found["images_with_masks"], found["images_without_masks"]) == (0, 8)


def test_without_validation_masks_there_is_the_oracle_only(data_module, writable_dice):
    shutil.rmtree(writable_dice / "ground_truth" / "train_set")
    data = data_module(writable_dice)
    found = pixel_figures(score_photos(_fitted(data), data), data.photos)["clean"]
    assert found["f1_max"] is found["threshold"] is found["fitted_on"] is None
    assert found["f1_max_oracle"] > 0
    assert found["auroc"] > 0.5
    assert found["reason"] == "no validation image has a mask to fit a threshold for pixels to"


def test_empty_masks_have_no_defect_to_find(data_module, writable_dice):
    for path in (writable_dice / "ground_truth").rglob("*.png"):
        Image.fromarray(np.zeros((64, 64), np.uint8)).save(path)
    data = data_module(writable_dice)
    found = pixel_figures(score_photos(_fitted(data), data), data.photos)["clean"]
    assert (found["auroc"], found["images_with_masks"]) == (None, 8)
    assert "mask" in found["reason"]


def test_gallery_and_pixel_figures_of_real_photos(data_module, real_dice_root):
    data = data_module(real_dice_root)
    detector = _fitted(data)
    everything = score_photos(detector, data)
    table = _table(everything, data)
    validation = table.validation
    rule = NormalQuantile(0.9).fit(validation.score, validation.label, fitted_on="validation", split_digest="")
    found = errors(detector, data, everything, table, rule, title="a run")
    assert all(len(found[name].captions) == 12 for name in ("false_alarms", "nearest"))
    assert pixel_figures(everything, data.photos)["published"]["images_without_masks"] == 75
