"""Dice are turned upright, whatever way they lie."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from anodice.baselines.dark_ray import DarkRayUpright
from anodice.data.decode import decode
from anodice.data.layouts import FACES, dice11
from anodice.data.records import walk
from anodice.dice.orientation import OUTSIDE, Upright, disk
from anodice.dice.renderer import SESSIONS, render
from anodice.errors import AnodiceError
from tests.photos import drawn_dice, no_dice

TURNS = {"01": 0, "02": 90, "03": 0, "04": 90, "05": 0, "06": 0, "07": 0, "08": 90, "09": 180, "10": 270}
"""By how much a die of each class is turned; face 1 has no direction."""
PERIODS = {2: 180, 3: 180, 4: 90, 5: 90, 6: 360}
METHODS = pytest.mark.parametrize("method", [Upright(), DarkRayUpright()], ids=["upright", "dark_ray"])
SCRIPT = Path(__file__).parents[2] / "scripts" / "prepare_dice6.py"


@METHODS
def test_each_photo_is_turned_by_itself(method):
    photos = np.random.default_rng(2).permutation(np.concatenate([drawn_dice(64)] * 25))
    photos[::7] //= 2
    alone = np.concatenate([method(photo[None]) for photo in photos[-5:]])
    np.testing.assert_array_equal(method(photos)[-5:], alone)


@METHODS
def test_no_photos_give_no_photos(method):
    nothing = np.zeros((0, 64, 64), dtype=np.uint8)
    assert (method.angles(nothing).shape, method(nothing).shape) == ((0,), (0, 64, 64))


@METHODS
@pytest.mark.parametrize(
    "photos",
    [
        np.zeros((2, 64, 60), np.uint8),
        np.zeros((2, 64, 64)),
        np.zeros((64, 64), np.uint8),
        np.zeros((1, 8, 8), np.uint8),
    ],
    ids=["oblong", "float", "single", "tiny"],
)
def test_what_is_no_batch_of_square_grey_photos_is_refused(method, photos):
    with pytest.raises(AnodiceError, match=r"square grey photos \(N, S, S\) uint8"):
        method(photos)


def _apart(angles, expected, period):
    """The distance between angles, in degrees, for a face that looks the same after `period`."""
    return np.abs((angles - expected + period / 2) % period - period / 2)


@pytest.mark.parametrize("session", SESSIONS)
@pytest.mark.parametrize("size", [64, 128])
def test_upright_finds_the_way_a_drawn_die_lies(size, session):
    generator = np.random.default_rng(3)
    for name, turn in TURNS.items():
        photos = np.stack([render(name, generator, size=size, session=session).image for _ in range(3)])
        assert _apart(Upright().angles(photos), turn, PERIODS[FACES[name]]).max() < 6, name


@pytest.mark.parametrize("degrees", [-77, 20, 131])
def test_upright_turns_back_what_was_turned(degrees):
    classes = list(TURNS)
    photos = drawn_dice(classes=classes)
    turned = np.stack([ndimage.rotate(photo, degrees, reshape=False, order=1, mode="nearest") for photo in photos])
    change = Upright().angles(turned) - Upright().angles(photos)
    for name, angle in zip(classes, change, strict=True):
        assert _apart(angle, -degrees, PERIODS[FACES[name]]) < 2, name


def test_upright_makes_the_four_logos_alike():
    generator = np.random.default_rng(4)
    means = [
        Upright()(np.stack([render(name, generator).image for _ in range(12)])).mean(0)
        for name in ("07", "08", "09", "10")
    ]
    for mean in means[1:]:
        assert np.corrcoef(means[0].ravel(), mean.ravel())[0, 1] > 0.97


def test_upright_hardly_turns_what_lies_upright():
    angles = Upright().angles(drawn_dice(classes=["01", "03", "05", "06", "07"]))
    assert np.abs(angles).max() < 6


def test_upright_leaves_a_face_without_direction_where_it_is():
    photos = np.concatenate([drawn_dice(classes=["00"] * 4), no_dice(128)[:2]])
    upright = Upright()(photos)
    inside = disk(128)
    assert (Upright().angles(photos) == 0).all()
    np.testing.assert_array_equal(upright[:, inside], photos[:, inside])
    assert (upright[:, ~inside] == OUTSIDE).all()


def test_upright_does_not_mind_the_exposure():
    photos = drawn_dice()
    np.testing.assert_allclose(Upright().angles(photos // 2), Upright().angles(photos), rtol=0, atol=1)


def test_real_dice_of_a_face_come_to_lie_alike(real_dice_root):
    records = [r for r in walk(real_dice_root, dice11(real_dice_root)).records if r.face is not None][::40]
    photos = np.stack([decode(real_dice_root / r.path, image_size=128, in_channels=1)[0][..., 0] for r in records])
    upright, faces = Upright()(photos)[:, disk(128)].astype(float), np.array([r.face for r in records])
    for face in PERIODS:
        pictures = upright[faces == face]
        likeness = [np.corrcoef(picture, pictures.mean(0))[0, 1] for picture in pictures]
        assert np.mean(likeness) > 0.9, face


@pytest.fixture(scope="module")
def script():
    specification = importlib.util.spec_from_file_location("prepare_dice6", SCRIPT)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def _files(root):
    return sorted(path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file())


def test_the_folded_root_holds_every_photo_upright(script, writable_dice, tmp_path, capsys):
    twin = writable_dice / "train_set" / "02" / "twin.png"
    for folder in ("01", "02"):
        Image.fromarray(drawn_dice(64, ["01"])[0]).save(writable_dice / "train_set" / folder / "twin.png")
    (twin.parent / ".DS_Store").write_bytes(b"x")
    (twin.parent / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nx")
    target = tmp_path / "folded"
    script.main([str(writable_dice), str(target), "--size", "64", "--means", str(tmp_path / "means")])
    photos = [r for r in walk(writable_dice, dice11(writable_dice)).records if not r.path.endswith("broken.png")]
    assert len(_files(target)) == len(photos)
    assert {"train_set/2/01_twin_png.png", "train_set/2/02_twin_png.png"} <= set(_files(target))
    with Image.open(target / "train_set/2/01_twin_png.png") as file:
        assert (file.format, file.mode, file.size) == ("PNG", "L", (64, 64))
        np.testing.assert_array_equal(np.asarray(file), Upright()(drawn_dice(64, ["01"]))[0])
    assert _files(tmp_path / "means") == ["means_test.png", "means_train.png"]
    said = capsys.readouterr().out
    assert f"{len(photos)} photos written" in said
    assert "skipped 1: hidden file" in said
    assert "cannot be decoded" in said


def test_the_script_keeps_what_is_there(script, dice_root, tmp_path, capsys):
    target = tmp_path / "folded"
    arguments = [str(dice_root), str(target), "--size", "64"]
    script.main(arguments)
    (target / "note.txt").write_text("mine")
    before = {name: (target / name).read_bytes() for name in _files(target)}
    removed = _files(target / "test_set" / "4")[0]
    (target / "test_set" / "4" / removed).unlink()
    for more in ([], ["--force", "--method", "dark_ray"]):
        with pytest.raises(SystemExit, match="2"):
            script.main([*arguments, *more])
    errors = capsys.readouterr().err
    assert "not empty" in errors
    assert "hold something else" in errors
    script.main([*arguments, "--force"])
    assert "1 photos written" in capsys.readouterr().out
    assert {name: (target / name).read_bytes() for name in _files(target)} == before


def test_the_script_writes_no_photos_into_the_source_or_the_repository(script, dice_root, tmp_path, capsys):
    inside = SCRIPT.parents[1] / "folded"
    for target, more in (
        (dice_root, []),
        (dice_root / "new", []),
        (inside, []),
        (tmp_path / "a", ["--means", str(inside)]),
    ):
        with pytest.raises(SystemExit, match="2"):
            script.main([str(dice_root), str(target), *more])
    assert capsys.readouterr().err.count("error: ") == 4
    assert not inside.exists()
