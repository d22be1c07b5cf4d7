"""The data module: batches, their order, where augmentation goes, what it tells and what it refuses."""

from __future__ import annotations

import shutil
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from PIL import Image
from torch import nn

from anodice.augmentation.appearance import Augmentation
from anodice.augmentation.defect_painter import DefectAugmentation, DefectPainter
from anodice.data.datamodule import DiceDataModule
from anodice.data.layouts import dice6, folder, mvtec
from anodice.data.splitting.strategies import Clean, Published
from anodice.dice.orientation import Upright
from anodice.errors import AnodiceError
from anodice.functional.tiles import cut
from anodice.objects.dataset import write_object


def _batches(module, loader):
    """The batches of one of Lightning's loaders as a detector gets them outside training."""
    return [module.on_after_batch_transfer(batch, 0) for batch in loader]


def _order(module, epoch=0):
    """The record indices of each training batch of an epoch."""
    loader = module.train_dataloader()
    loader.sampler.set_epoch(epoch)
    return [batch["index"].tolist() for batch in loader]


class _Listener(pl.LightningModule):
    """Learns nothing, notes the batches that it is given."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(()))
        self.trained, self.validated = [], []

    def training_step(self, batch):
        self.trained.append(batch)
        return self.weight * 0

    def validation_step(self, batch):
        self.validated.append(batch)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


class _Blacken(nn.Module):
    """An augmentation that nobody can miss."""

    def augment(self, images):
        return {"image": torch.zeros_like(images)}


class _Quarter:
    """An orientation that turns every photo by a quarter."""

    name = "quarter"

    def __call__(self, photos):
        return np.rot90(photos, axes=(1, 2))


def _fit(module, tmp_path, epochs=1, resume=None):
    """Train for nothing; the checkpoint of the end is `end.ckpt`."""
    listener = _Listener()
    off = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False, "enable_model_summary": False}
    trainer = pl.Trainer(max_epochs=epochs, accelerator="cpu", default_root_dir=tmp_path, num_sanity_val_steps=0, **off)
    trainer.fit(listener, datamodule=module, ckpt_path=resume)
    trainer.save_checkpoint(tmp_path / "end.ckpt")
    return listener


@pytest.mark.parametrize("channels", [1, 3])
def test_what_is_in_a_batch(data_module, dice_root, channels):
    module = data_module(dice_root, image_size=32, in_channels=channels)
    batch = _batches(module, module.train_dataloader())[0]
    assert set(batch) == {"image", "label", "class", "face", "leaked", "index"}
    assert (batch["image"].shape, batch["image"].dtype) == ((8, channels, 32, 32), torch.float32)
    assert 0 <= batch["image"].amin() < 0.5 < batch["image"].amax() <= 1
    assert {name: (batch[name].shape, batch[name].dtype) for name in set(batch) - {"image"}} == {
        "label": ((8,), torch.bool),
        "leaked": ((8,), torch.bool),
        "class": ((8,), torch.int64),
        "face": ((8,), torch.int64),
        "index": ((8,), torch.int64),
    }


def test_labels_classes_and_faces_are_those_of_the_records(data_module, dice_root):
    module = data_module(dice_root)
    for batch in module.val_dataloader():
        records = [module.photos.records[i] for i in batch["index"]]
        assert batch["label"].tolist() == [r.anomalous for r in records]
        classes = [-1 if r.anomalous else module.classes.index(r.class_name) for r in records]
        assert batch["class"].tolist() == classes
        assert batch["face"].tolist() == [-1 if r.anomalous else r.face for r in records]


def test_images_are_the_photos_of_their_records(data_module, dice_root):
    module = data_module(dice_root)
    for batch in module.evaluation_batches(module.photos.split.test):
        for image, index in zip(batch["image"], batch["index"].tolist(), strict=True):
            photo = np.asarray(Image.open(dice_root / module.photos.records[index].path))
            np.testing.assert_array_equal((image[0] * 255).round().numpy(), photo)


def test_images_stay_with_their_records_when_a_photo_is_undecodable(data_module, writable_dice):
    (writable_dice / "train_set" / "00" / "0.png").write_bytes(b"\x89PNG\r\n\x1a\n junk")
    module = data_module(writable_dice)
    last = len(module.photos.records) - 1
    photo = np.asarray(Image.open(writable_dice / module.photos.records[last].path))
    (batch,) = module.evaluation_batches([last])
    np.testing.assert_array_equal((batch["image"][0, 0] * 255).round().numpy(), photo)


def test_loaders_serve_their_part_of_the_split(data_module, dice_root):
    module = data_module(dice_root, batch_size=1)
    split = module.photos.split
    normals = [i for i in split.validation if not module.photos.records[i].anomalous]
    assert sorted(i for batch in _order(module) for i in batch) == list(split.fit)
    assert [batch["index"].item() for batch in module.fit_batches()] == list(split.fit)
    assert [batch["index"].item() for batch in module.held_out_batches()] == normals
    assert [batch["index"].item() for batch in module.val_dataloader()] == list(split.validation)
    assert [batch["index"].item() for batch in module.test_dataloader()] == list(split.test)
    assert [batch["index"].item() for batch in module.predict_dataloader()] == list(split.test)


def test_evaluation_keeps_the_given_order_and_every_image(data_module, dice_root):
    indices = [5, 80, 3, 4, 41, 0, 17, 99, 2, 2]
    batches = list(data_module(dice_root, batch_size=4).evaluation_batches(indices))
    assert [batch["index"].tolist() for batch in batches] == [[5, 80, 3, 4], [41, 0, 17, 99], [2, 2]]


def test_evaluation_of_nothing_has_no_batch(data_module, dice_root):
    assert list(data_module(dice_root).evaluation_batches([])) == []


def test_batches_of_evaluation_are_what_lightning_gives_the_detector(data_module, dice_root):
    module = data_module(dice_root)
    ours = module.evaluation_batches(module.photos.split.test)
    for mine, theirs in zip(ours, _batches(module, module.test_dataloader()), strict=True):
        assert mine.keys() == theirs.keys()
        assert all(torch.equal(mine[name], theirs[name]) for name in mine)


def test_batches_can_be_gone_through_again(data_module, dice_root):
    batches = data_module(dice_root).fit_batches()
    once, again = ([batch["index"].tolist() for batch in batches] for _ in range(2))
    assert once == again != []


def test_batches_come_to_the_device_that_is_asked_for(data_module, dice_root):
    module = data_module(dice_root)
    for batches in (
        module.fit_batches("meta"),
        module.held_out_batches("meta"),
        module.evaluation_batches([0], "meta"),
    ):
        assert {value.device.type for batch in batches for value in batch.values()} == {"meta"}


def test_photos_of_the_training_folder_among_the_test_photos_are_marked_as_leaked(data_module, writable_dice):
    photo = next((writable_dice / "train_set" / "05").iterdir())
    shutil.copy(photo, writable_dice / "test_set" / "05" / "leak.png")
    module = data_module(writable_dice, batch_size=1)
    marked = [batch["index"].item() for batch in module.test_dataloader() if batch["leaked"].item()]
    assert marked == list(module.photos.split.leaked)
    assert [module.photos.records[i].path for i in marked] == ["test_set/05/leak.png"]
    assert not any(batch["leaked"].any() for batch in module.fit_batches())


@pytest.mark.parametrize("name", ["image_size", "batch_size", "steps_per_epoch"])
@pytest.mark.parametrize("value", [0, -8, 2.5, "64"])
def test_numbers_below_one_or_not_whole_are_refused(data_module, tmp_path, name, value):
    with pytest.raises(AnodiceError, match=rf"expected data.{name} to be a whole number of at least 1, got {value!r}"):
        data_module(tmp_path, **{name: value})


@pytest.mark.parametrize("name", ["image_size", "batch_size"])
def test_only_the_steps_may_be_none(data_module, tmp_path, name):
    with pytest.raises(AnodiceError, match=f"data.{name} .* got None"):
        data_module(tmp_path, **{name: None})


@pytest.mark.parametrize("channels", [0, 2, 4])
def test_other_channels_than_grey_and_rgb_are_refused(data_module, tmp_path, channels):
    with pytest.raises(AnodiceError, match=rf"data.in_channels 1 \(grey\) or 3 \(RGB\), got {channels}"):
        data_module(tmp_path, in_channels=channels)


def test_a_layout_that_is_no_function_is_refused(data_module, tmp_path):
    with pytest.raises(AnodiceError, match=r"data.layout to be a function .*, got 'dice6'; choose it with data="):
        data_module(tmp_path, layout="dice6")


def test_an_orientation_turns_grey_photos_only(data_module, tmp_path):
    with pytest.raises(AnodiceError, match=r"data.in_channels=1 with an orientation, .* got 3; set data.orientation"):
        data_module(tmp_path, orientation=_Quarter(), in_channels=3)


def test_a_split_that_is_none_is_refused(data_module, tmp_path):
    with pytest.raises(AnodiceError, match=r"data.split to be one of .*, got 'clean'; choose it with split="):
        data_module(tmp_path, split="clean")


def test_without_a_split_the_published_one_is_used(data_module, tmp_path):
    assert data_module(tmp_path, split=None).split == Published()


@pytest.mark.parametrize("radius", [0, -0.5, float("nan")])
def test_a_border_that_leaves_nothing_is_refused(data_module, tmp_path, radius):
    with pytest.raises(AnodiceError, match=r"data.border_radius above 0"):
        data_module(tmp_path, border_radius=radius)


def test_classes_are_known_before_any_photo_is_read(data_module, tmp_path):
    assert data_module(tmp_path / "missing").classes == tuple(f"{k:02d}" for k in range(11))
    assert data_module(tmp_path / "missing", layout=dice6).classes == ("1", "2", "3", "4", "5", "6")


def test_every_fit_photo_comes_once_though_an_epoch_is_short(data_module, dice_root):
    module = data_module(dice_root, steps_per_epoch=2, augmentation=_Blacken())
    batches = list(module.fit_batches())
    assert [i for batch in batches for i in batch["index"].tolist()] == list(module.photos.split.fit)
    assert all(batch["image"].amax() > 0 for batch in batches)


def test_photos_are_read_at_first_use(data_module, tmp_path):
    module = data_module(tmp_path / "missing")
    with pytest.raises(AnodiceError, match="does not exist"):
        module.setup("fit")


@pytest.mark.parametrize("seed", [0, 1])
def test_the_same_seed_trains_in_the_same_order(data_module, dice_root, seed):
    assert _order(data_module(dice_root, seed=seed)) == _order(data_module(dice_root, seed=seed))


def test_every_seed_trains_in_an_order_of_its_own(data_module, dice_root):
    def positions(seed):
        module = data_module(dice_root, seed=seed)
        return tuple(module.photos.split.fit.index(i) for batch in _order(module) for i in batch)

    assert len({positions(seed) for seed in range(8)}) == 8


def test_each_epoch_has_an_order_of_its_own(data_module, dice_root):
    module = data_module(dice_root)
    assert _order(module, epoch=0) != _order(module, epoch=1)


@pytest.mark.parametrize("batch_size", [4, 11, 44])
def test_a_pass_shows_each_image_once(data_module, dice_root, batch_size):
    module = data_module(dice_root, batch_size=batch_size)  # 44 images to fit
    for epoch in range(3):
        order = _order(module, epoch)
        assert {len(batch) for batch in order} == {batch_size}
        assert sorted(i for batch in order for i in batch) == list(module.photos.split.fit)


def test_the_incomplete_batch_of_a_pass_is_left_out(data_module, dice_root):
    order = _order(data_module(dice_root, batch_size=8))
    assert [len(batch) for batch in order] == [8] * 5
    assert len({i for batch in order for i in batch}) == 40


def test_a_batch_larger_than_the_data_holds_all_of_it(data_module, dice_root):
    assert [len(batch) for batch in _order(data_module(dice_root, batch_size=1000))] == [44]


@pytest.mark.parametrize("steps", [1, 3, 14])
def test_the_number_of_steps_is_the_users(data_module, dice_root, steps):
    module = data_module(dice_root, steps_per_epoch=steps)
    assert len(_order(module)) == len(module.train_dataloader()) == steps


def test_short_epochs_go_on_through_the_pass(data_module, dice_root):
    module = data_module(dice_root, batch_size=4, steps_per_epoch=3)  # 11 batches a pass
    stream = [batch for epoch in range(11) for batch in _order(module, epoch)]
    for k in range(3):
        one_pass = stream[11 * k : 11 * (k + 1)]
        assert sorted(i for batch in one_pass for i in batch) == list(module.photos.split.fit)


def test_a_long_epoch_is_several_short_ones(data_module, dice_root):
    short, long = data_module(dice_root, steps_per_epoch=4), data_module(dice_root, steps_per_epoch=12)
    assert _order(long, epoch=1) == [batch for epoch in (3, 4, 5) for batch in _order(short, epoch)]


def test_resuming_gives_the_batches_of_running_through(data_module, dice_root, tmp_path):
    def module():
        return data_module(dice_root, steps_per_epoch=3)

    through = _fit(module(), tmp_path, epochs=5).trained
    stopped = _fit(module(), tmp_path, epochs=2).trained
    resumed = _fit(module(), tmp_path, epochs=5, resume=tmp_path / "end.ckpt").trained
    assert [b["index"].tolist() for b in (*stopped, *resumed)] == [b["index"].tolist() for b in through]
    assert len(through) == 15


def test_augmentation_is_for_training_only(data_module, dice_root, tmp_path):
    module = data_module(dice_root, augmentation=_Blacken())
    seen = _fit(module, tmp_path)
    assert all(batch["image"].amax() == 0 for batch in seen.trained)
    assert all(batch["image"].amax() > 0.5 for batch in seen.validated)
    assert all(batch["image"].amax() > 0.5 for batch in module.held_out_batches())


def test_augmentation_lies_where_the_batches_go(data_module, dice_root):
    painter = DefectPainter(image_size=32, stamps=36, share=1.0, seed=0)
    module = data_module(dice_root, augmentation=painter)
    module.trainer = SimpleNamespace(strategy=SimpleNamespace(root_device=torch.device("meta")))
    module.setup("fit")
    assert {buffer.device.type for buffer in painter.buffers()} == {"meta"}


def test_without_augmentation_training_sees_the_photos(data_module, dice_root, tmp_path):
    module = data_module(dice_root)
    first = _fit(module, tmp_path).trained[0]
    (again,) = module.evaluation_batches(first["index"].tolist())
    assert torch.equal(first["image"], again["image"])


def _colour(image):
    return Image.merge("RGB", [image, image.rotate(90), image])


def test_colour_turned_to_grey_is_told(data_module, writable_dice, caplog):
    path = next((writable_dice / "train_set" / "02").iterdir())
    _colour(Image.open(path)).save(path)
    data_module(writable_dice).setup("fit")
    assert f"1 photo is in colour, such as train_set/02/{path.name};" in caplog.text
    assert "data.in_channels=3 keeps the colour" in caplog.text


def test_colour_that_is_kept_needs_no_word(data_module, writable_dice, caplog):
    path = next((writable_dice / "train_set" / "02").iterdir())
    _colour(Image.open(path)).save(path)
    data_module(writable_dice, in_channels=3).setup("fit")
    assert caplog.text == ""


def test_a_photo_of_another_size_is_told(data_module, writable_dice, caplog):
    path = next((writable_dice / "train_set" / "02").iterdir())
    Image.open(path).resize((100, 100)).save(path)
    data_module(writable_dice).setup("fit")
    assert f"1 photo is not 64x64 as most are, such as train_set/02/{path.name} (100x100)" in caplog.text


@pytest.mark.parametrize(
    ("folder", "consequence"),
    [
        ("train_set/06", "does not get to know that class"),
        ("train_set/ano", "only thresholds from normal photos"),
        ("test_set/06", "say nothing of that class"),
    ],
)
def test_an_empty_class_folder_is_told_with_its_consequence(data_module, writable_dice, caplog, folder, consequence):
    for path in (writable_dice / folder).iterdir():
        path.unlink()
    data_module(writable_dice).setup("fit")
    (sentence,) = caplog.messages
    assert sentence.startswith(f"{folder} holds no photo")
    assert consequence in sentence


def test_many_empty_class_folders_are_told_in_one_line_for_each_consequence(data_module, writable_dice, caplog):
    for name in ("train_set/06", "train_set/07", "test_set/08"):
        for path in (writable_dice / name).iterdir():
            path.unlink()
    data_module(writable_dice).setup("fit")
    training, test = caplog.messages
    assert training.startswith("train_set/06 and train_set/07 hold no photo: the detector does not get to know")
    assert test.startswith("test_set/08 holds no photo: the figures say nothing")


def test_square_photos_of_another_size_are_not_squashed(data_module, dice_root, caplog):
    data_module(dice_root, image_size=32).setup("fit")
    assert "squashed" not in caplog.text


def test_photos_as_expected_need_no_word(data_module, dice_root, caplog):
    data_module(dice_root).setup("fit")
    assert caplog.text == ""


def test_photos_none_of_which_can_be_decoded_are_refused(data_module, writable_dice):
    for path in writable_dice.rglob("*_set/*/*.png"):
        path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(AnodiceError, match="expected normal training photos"):
        data_module(writable_dice).setup("fit")


def test_dice_of_eleven_classes_are_turned_and_folded_to_faces(data_module, dice_root):
    plain, turned = data_module(dice_root), data_module(dice_root, layout=dice6, orientation=_Quarter())
    upright, lying = turned.photos, plain.photos
    assert [r.path for r in upright.records] == [r.path for r in lying.records]
    assert {r.class_name for r in upright.records if not r.anomalous} == set("123456")
    np.testing.assert_array_equal(upright.pixels[..., 0], np.rot90(lying.pixels[..., 0], axes=(1, 2)))
    assert all(upright.mask(i) is None for i in upright.split.test)


def test_photos_that_lie_upright_are_not_turned(data_module, dice_root):
    plain, told = data_module(dice_root), data_module(dice_root, orientation=_Quarter())
    np.testing.assert_array_equal(plain.photos.pixels, told.photos.pixels)


def test_photos_that_nothing_turns_are_told(data_module, dice_root, caplog):
    data_module(dice_root, layout=dice6).setup("fit")
    assert "data.orientation is null" in caplog.text


def test_masks_are_those_of_the_drawn_defects(data_module, dice_root):
    photos = data_module(dice_root).photos
    for i in photos.split.test:
        record, mask = photos.records[i], photos.mask(i)
        if not record.anomalous:
            assert mask is None
            continue
        assert (mask.shape, mask.dtype) == ((64, 64), bool)
        np.testing.assert_array_equal(mask, np.asarray(Image.open(dice_root / "ground_truth" / record.path)) > 0)


def _object(root):
    """An object laid out as in MVTec AD, in colour, 40 pixels square, with one marked pixel in one of its defects."""
    random = np.random.default_rng(0)
    for path in [*(f"train/good/{k}" for k in range(6)), "test/good/0", "test/cut/0", "test/cut/1", "test/hole/0"]:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(random.integers(0, 256, (40, 40, 3), dtype=np.uint8)).save(root / f"{path}.png")
    mask = np.zeros((40, 40), dtype=np.uint8)
    mask[17, 31] = 255
    (root / "ground_truth" / "cut").mkdir(parents=True)
    Image.fromarray(mask).save(root / "ground_truth" / "cut" / "0_mask.png")
    return root


@pytest.mark.parametrize("size", [16, 40, 60])
def test_a_single_marked_pixel_survives_every_size(data_module, tmp_path, size):
    photos = data_module(_object(tmp_path / "bottle"), layout=mvtec, image_size=size, in_channels=3).photos
    masks = {photos.records[i].path: photos.mask(i) for i in photos.split.test}
    assert [path for path, mask in masks.items() if mask is not None] == ["test/cut/0.png"]
    rows, columns = np.nonzero(masks["test/cut/0.png"])
    assert len(rows) > 0
    for marked, found in ((17, rows), (31, columns)):  # the pixels that the marked one overlaps
        assert found.min() == marked * size // 40
        assert found.max() == ((marked + 1) * size - 1) // 40


def test_a_broken_mask_is_named(data_module, tmp_path):
    root = _object(tmp_path / "bottle")
    (root / "ground_truth" / "cut" / "0_mask.png").write_bytes(b"junk")
    photos = data_module(root, layout=mvtec, in_channels=3).photos
    with pytest.raises(AnodiceError, match=r"expected an image at .*0_mask.png"):
        _ = [photos.mask(i) for i in photos.split.test]


def test_colour_reaches_the_batch_and_only_the_test_has_anomalies(data_module, tmp_path):
    module = data_module(_object(tmp_path / "bottle"), layout=mvtec, image_size=40, in_channels=3)
    (batch,) = module.evaluation_batches(module.photos.split.test)
    assert batch["label"].tolist() == [False, True, True, True]
    assert batch["class"].tolist() == [0, -1, -1, -1]
    assert (batch["image"][:, 0] != batch["image"][:, 1]).any()
    assert not any(module.photos.records[i].anomalous for i in module.photos.split.validation)


def _dishes(root, count):
    """Four photos of each of so many dishes, and two anomalies."""
    random = np.random.default_rng(0)
    for path in [*(f"good/dish{k}/{n}" for k in range(count) for n in range(4)), "bad/0", "bad/1"]:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(random.integers(0, 256, (16, 16), dtype=np.uint8)).save(root / f"{path}.png")
    return partial(folder, normal=["good"], anomalous=["bad"], test_normal=[], test_anomalous=[])


def test_photos_of_all_sizes_are_told_in_one_sentence(data_module, tmp_path, caplog):
    layout = _dishes(tmp_path, 2)
    for k, path in enumerate(sorted(tmp_path.rglob("*.png"))):
        Image.open(path).resize((20 + k, 30)).save(path)
    data_module(tmp_path, layout=layout, image_size=16).setup("fit")
    sizes, squashed = caplog.messages
    assert sizes == "the photos have 10 sizes; every photo is resized to 16x16."
    assert squashed.startswith("10 photos are not square, such as good/dish0/0.png (22x30), and squashed to 16x16")


def test_folders_that_nobody_named_are_named(data_module, tmp_path, caplog):
    layout = _dishes(tmp_path, 2)
    for name in ("ugly", "extra"):
        (tmp_path / name).mkdir()
    data_module(tmp_path, layout=layout, image_size=16).setup("fit")
    (sentence,) = caplog.messages
    assert sentence.startswith("extra and ugly are not read: the layout is ROOT/{good,bad}/")


def _module_with_everything(make, root):
    painter = DefectPainter(image_size=64, stamps=36, share=0.5, seed=0)
    changes = {"brightness": 0.1, "contrast": 0.2, "shift": 2.0, "rotation": 10.0}
    before = Augmentation(**changes, gamma=0.0, glare=0.0, blur=0.0, noise=0.0)
    return make(
        root,
        layout=dice6,
        split=Clean(validation_fraction=0.3, seed=4),
        orientation=Upright(),
        border_radius=0.9,
        steps_per_epoch=2,
        augmentation=DefectAugmentation(before=before, painter=painter),
        seed=3,
    )


def test_a_checkpoint_tells_how_to_make_its_data_module_again(data_module, dice_root, tmp_path):
    module = _module_with_everything(data_module, dice_root)
    _fit(module, tmp_path)
    again = DiceDataModule.load_from_checkpoint(tmp_path / "end.ckpt")
    assert again.hparams == module.hparams
    assert again.photos.split == module.photos.split
    assert _order(again) == _order(module)
    torch.manual_seed(0)
    images = next(iter(module.fit_batches()))["image"]
    drawn = []
    for each in (module, again):
        torch.manual_seed(0)
        drawn.append(each.augmentation.augment(images))
    assert torch.equal(drawn[0]["image"], drawn[1]["image"])


def test_photos_that_have_moved_are_found_by_a_checkpoint_that_is_told_where(data_module, dice_root, tmp_path):
    _fit(data_module(dice_root), tmp_path)
    moved = shutil.copytree(dice_root, tmp_path / "elsewhere")
    again = DiceDataModule.load_from_checkpoint(tmp_path / "end.ckpt", root=str(moved), batch_size=3)
    assert again.photos.walked.root == moved
    assert (again.batch_size, again.image_size) == (3, 64)


def test_a_layout_with_settings_is_told_by_a_checkpoint(data_module, tmp_path):
    module = data_module(tmp_path, layout=_dishes(tmp_path, 8), image_size=16)
    _fit(module, tmp_path)
    again = DiceDataModule.load_from_checkpoint(tmp_path / "end.ckpt")
    assert again.photos.records == module.photos.records


def test_a_checkpoint_that_tells_no_data_module_is_refused(tmp_path):
    torch.save({"state_dict": {}}, tmp_path / "a.ckpt")
    with pytest.raises(AnodiceError, match="expected a checkpoint that tells its data module, got"):
        DiceDataModule.load_from_checkpoint(tmp_path / "a.ckpt")


def test_large_photos_are_learned_by_tiles_and_scored_whole(data_module, tmp_path):
    root = write_object(tmp_path / "slabs", kind="slabs", train=8, test_good=2, test_flawed=1, size=60)
    module = data_module(root, layout=mvtec, image_size=32, tile=[2, 2])
    whole = [batch["image"] for batch in module.evaluation_batches(module.photos.split.fit)]
    assert {image.shape[1:] for image in whole} == {(1, 60, 60)}
    tiles = torch.cat([batch["image"] for batch in module.fit_batches()])
    assert torch.equal(tiles, cut(torch.cat(whole), 32))
    (batch,) = _fit(module, tmp_path).trained
    assert batch["image"].shape[1:] == (1, 32, 32)
    assert all((tiles == image).flatten(1).all(1).any() for image in batch["image"])


def test_tiles_go_with_neither_a_border_nor_an_orientation(data_module, tmp_path):
    with pytest.raises(AnodiceError, match=r"data.border_radius=null with data.tile, got 0.9"):
        data_module(tmp_path, tile=[2, 2], border_radius=0.9)
    with pytest.raises(AnodiceError, match=r"data.tile=null with an orientation"):
        data_module(tmp_path, tile=[2, 2], orientation=_Quarter())


def test_padded_photos_have_padded_masks(data_module, tmp_path, caplog):
    root = write_object(tmp_path / "rulers", kind="rulers", train=4, test_good=1, test_flawed=1, size=32)
    photos = data_module(root, layout=mvtec, image_size=48, in_channels=3, shape_to_square="pad").photos
    for i in photos.split.test:
        mask = photos.mask(i)
        assert mask is None or (mask.shape == (48, 48) and mask.any() and not mask[:16].any() and not mask[32:].any())
    assert "square" not in caplog.text
