"""The rules of `model=auto`, from fingerprints to choices."""

from __future__ import annotations

from dataclasses import replace

import pytest

from anodice.data.fingerprint import Fingerprint
from anodice.errors import AnodiceError
from anodice.models.auto import Auto, choose

DICE = Fingerprint(
    photos=5254,
    classes=11,
    width=128,
    height=128,
    colour=False,
    likeness=0.97,
    found=0.0,
    turned_likeness=0.97,
    shift=0.02,
    turned_shift=0.02,
    border=0.9,
    brightness=0.02,
)
SCREWS = replace(DICE, width=1024, height=1024, likeness=0.2, turned_likeness=0.9, found=1.0, border=0.1, shift=0.2)
NUTS = replace(SCREWS, turned_likeness=0.3, found=0.1)
CLOTH = replace(SCREWS, turned_likeness=0.0, found=0.3, border=1.0)


def _chosen(found, auto=None, installed=False, **kept):
    kept = {key.replace("__", "."): value for key, value in kept.items()}
    return choose(found, Auto() if auto is None else auto, kept=kept, installed=installed)


@pytest.mark.parametrize("installed", [False, True])
def test_dice_get_what_is_best_by_hand(installed):
    choice = _chosen(DICE, installed=installed)
    assert (choice.detector, choice.backbone, choice.augmentation) == ("local_memory", "own", None)
    assert choice.settings == {"model.memory.radius": 1}  # the default


def test_objects_with_an_axis_are_turned_and_compared_place_by_place():
    choice = _chosen(SCREWS)
    assert choice.detector == "local_memory"
    assert choice.settings["data.orientation"] == {"_target_": "anodice.data.pose.LongAxis"}
    assert choice.settings["data.image_size"] == 256
    assert choice.settings["model.memory.radius"] == 1


def test_objects_without_an_axis_get_one_bounded_memory_of_turned_photos():
    choice = _chosen(NUTS)
    assert (choice.detector, choice.augmentation) == ("local_memory", "any_angle")
    assert choice.settings["model.memory.radius"] is None
    assert choice.settings["model.memory.entries"] * 32**2 <= 16384


def test_textures_are_compared_with_enough_patches_and_long_ones_are_cut_into_tiles():
    assert _chosen(CLOTH).settings.get("data.tile") is None
    assert _chosen(CLOTH).settings["model.memory.radius"] == 1
    assert _chosen(replace(CLOTH, photos=20)).settings["model.memory.radius"] == 3
    assert "data.orientation" not in _chosen(CLOTH).settings
    assert _chosen(replace(CLOTH, width=500, height=1250)).settings["data.tile"] == [2, 1]
    assert _chosen(replace(CLOTH, width=500, height=400)).settings["data.shape_to_square"] == "squash"
    assert "data.shape_to_square" not in _chosen(replace(SCREWS, width=500, height=400)).settings
    assert _chosen(replace(CLOTH, width=3000, height=1000)).settings["data.tile"] == [1, 3]


def test_what_knows_imagenet_is_taken_for_photos_that_are_large_enough_where_it_is_there():
    assert [_chosen(kind, installed=True).backbone for kind in (SCREWS, NUTS, CLOTH, DICE)] == [*["timm"] * 3, "own"]
    assert _chosen(SCREWS, Auto(pretrained=False), installed=True).backbone == "own"
    assert _chosen(SCREWS, installed=False).backbone == "own"


def test_what_is_set_by_hand_is_kept():
    choice = _chosen(SCREWS, Auto(radius=3), data__image_size=128, data__orientation=None)
    assert "data.image_size" not in choice.settings
    assert "data.orientation" not in choice.settings
    assert choice.settings["model.memory.radius"] == 3
    choice = _chosen(CLOTH, Auto(detector="defect_unet"), augmentation="none")
    assert (choice.detector, choice.backbone, choice.augmentation) == ("defect_unet", None, None)
    assert "model.detector" in choice.sentences[2]
    assert "augmentation=none" in choice.sentences[2]


def test_a_farther_shift_makes_a_larger_radius():
    assert _chosen(replace(DICE, shift=0.1)).settings["model.memory.radius"] == 2


@pytest.mark.parametrize("kind", [DICE, SCREWS, NUTS, CLOTH])
def test_three_sentences_say_what_was_chosen_and_why(kind):
    first, second, third = _chosen(kind).sentences
    assert first.startswith(f"model=auto: 5254 normal photos of {kind.width}x{kind.height} in grey")
    assert f"model={_chosen(kind).detector}" in second
    assert third == "All of it can be set by hand, and is kept then."


def test_other_names_are_refused():
    with pytest.raises(AnodiceError, match=r"model.detector.*patchcore"):
        Auto(detector="patch_core")
    with pytest.raises(AnodiceError, match=r"model.backbone.*timm"):
        Auto(backbone="tim")
