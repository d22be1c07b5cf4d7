"""The gallery shows the right images, and the pixel figures are those of the maps: with a template detector."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from anodice.baselines.template import Template
from anodice.evaluation.inference import score_photos
from anodice.evaluation.pixel_metrics import PIXEL_FIGURES, pixel_figures
from anodice.evaluation.score_table import score_table
from anodice.metrics.pixel import PixelCounts
from anodice.reporting.visualise import error_gallery, sample_panels
from anodice.thresholds.rules import F1Max, Manual


def _fitted(data):
    settings = {"comparison": "absdiff", "own_other": None, "class_quantile": None, "image_size": 64, "in_channels": 1}
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


def _captions(figure):
    return [t.get_text() for t in figure.texts if t.get_text().startswith("test_set/")]


def _threshold(value):
    return Manual(value).fit([], [], fitted_on="validation", split_digest="")


def test_gallery_holds_the_misses_the_false_alarms_and_the_nearest(scored):
    detector, data, everything, table = scored
    threshold = _threshold(float(np.median(table.published.score)))
    figures = error_gallery(detector, data, everything, table, threshold, most=4)
    test = table.published
    flags = threshold.flags(test.score)
    expected = {
        "gallery_misses": test.path[np.argsort(test.score)][(~flags & test.label)[np.argsort(test.score)]][:4],
        "gallery_false_alarms": test.path[np.argsort(-test.score)][(flags & ~test.label)[np.argsort(-test.score)]][:4],
    }
    for name, paths in expected.items():
        assert [caption.split()[0] for caption in _captions(figures[name])] == paths.tolist()
    order = np.sort(test.score)
    above, below = order[order >= threshold.value][:2][::-1], order[order < threshold.value][::-1][:2]
    nearest = [float(re.search(r"score (\S+)", c)[1]) for c in _captions(figures["gallery_nearest"])]
    assert nearest == pytest.approx([*above, *below], rel=1e-3)


def test_captions_say_score_threshold_and_verdict(scored):
    detector, data, everything, table = scored
    captions = _captions(error_gallery(detector, data, everything, table, _threshold(-1.0))["gallery_false_alarms"])
    assert len(captions) == 12
    assert all(caption.endswith(">= threshold -1, normal: false alarm") for caption in captions)


def test_thresholds_by_class_are_shown_as_they_apply(scored):
    detector, data, everything, table = scored
    by_class = {name: 10.0 + k for k, name in enumerate(data.classes)}
    threshold = replace(_threshold(5.0), by_class=by_class)
    for caption in _captions(error_gallery(detector, data, everything, table, threshold)["gallery_misses"]):
        taken = re.search(r"taken for (\w+)", caption)[1]
        assert f"< threshold {by_class[taken]:.4g}, anomalous: missed" in caption


def test_an_empty_gallery_says_so(scored):
    detector, data, everything, table = scored
    figure = error_gallery(detector, data, everything, table, _threshold(1e9))["gallery_false_alarms"]
    assert figure.texts[0].get_text().startswith("0 of 22 normal test images falsely flagged")
    assert figure.axes == []


def test_sample_panels_outline_the_masks(scored):
    detector, data, everything, _ = scored
    figures = sample_panels(detector, data, of_each=2, scored=everything)
    outlined = {name: any(axis.collections for axis in figure.axes[:4]) for name, figure in figures.items()}
    assert outlined == {"panels_normal": False, "panels_anomalous": True}


def test_panels_of_a_training_are_those_of_its_end(scored):
    detector, data, everything, _ = scored
    early, late = (sample_panels(detector, data, of_each=2, scored=s) for s in (None, everything))
    for name in late:
        shown = [[axis.images[0].get_array() for axis in figures[name].axes[:4]] for figures in (early, late)]
        assert all(np.allclose(one, other, atol=1e-6) for one, other in zip(*shown, strict=True))


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
    rule = F1Max().fit(validation.score, validation.label, fitted_on="validation", split_digest="")
    figures = error_gallery(detector, data, everything, table, rule)
    assert all(len(_captions(figures[name])) == 12 for name in ("gallery_false_alarms", "gallery_nearest"))
    assert pixel_figures(everything, data.photos)["published"]["images_without_masks"] == 75
