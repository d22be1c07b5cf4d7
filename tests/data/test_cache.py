"""The image cache: what it holds, when it is built, and that damage and races do no harm."""

from __future__ import annotations

import hashlib
import io
import shutil
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import numpy as np
import pytest
from PIL import Image

from anodice.data import cache
from anodice.data.cache import cached_images
from anodice.data.decode import decode
from anodice.data.image_format import ImageFormat
from anodice.data.layouts import dice11
from anodice.data.records import walk

SIZE = 16


def _noise(seed, shape=(SIZE, SIZE)):
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


@pytest.fixture
def root(tmp_path):
    """Five grey photos of class 00."""
    folder = tmp_path / "dice" / "train_set" / "00"
    folder.mkdir(parents=True)
    (tmp_path / "dice" / "test_set").mkdir()
    for seed in range(5):
        Image.fromarray(_noise(seed)).save(folder / f"{seed}.png")
    return tmp_path / "dice"


def _open(root, *, image_size=SIZE, in_channels=1, orientation=None):
    records = walk(root, dice11(root)).records
    form = ImageFormat(image_size, in_channels, orientation)
    return cached_images(root, records, form, cache_dir=root.parent / "cache")


class _Flip:
    """Turns every photo by a quarter; remembers how many it has turned."""

    def __init__(self, name="quarter"):
        self.name, self.turned = name, 0

    def __call__(self, photos):
        assert (photos.dtype, photos.ndim) == (np.uint8, 3)
        self.turned += len(photos)
        return np.rot90(photos, axes=(1, 2))


def _folders(root):
    return sorted((root.parent / "cache" / "images").iterdir())


def _never(*_, **__):
    raise AssertionError("a photo was decoded again")


def _decode(path, image_size=SIZE, in_channels=1):
    return decode(path, image_size=image_size, in_channels=in_channels)


def _content(path, **settings):
    return _decode(path, **settings)[1]


def _digest(root):
    return hashlib.sha256(_open(root).pixels).hexdigest()


def test_rows_are_the_photos_in_the_order_of_the_walk(root):
    images = _open(root)
    assert images.pixels.dtype == np.uint8
    np.testing.assert_array_equal(images.pixels[..., 0], np.stack([_noise(seed) for seed in range(5)]))
    assert images.sizes == [(SIZE, SIZE)] * 5
    assert images.undecodable == {}


def test_the_second_opening_decodes_nothing(root, monkeypatch):
    first = _open(root)
    monkeypatch.setattr(cache, "decode", _never)
    second = _open(root)
    np.testing.assert_array_equal(first.pixels, second.pixels)
    assert (second.contents, second.sizes, second.colour) == (first.contents, first.sizes, first.colour)


def test_a_changed_photo_makes_a_new_cache(root):
    _open(root)
    Image.fromarray(_noise(99)).save(root / "train_set" / "00" / "3.png")
    np.testing.assert_array_equal(_open(root).pixels[3, ..., 0], _noise(99))
    assert len(_folders(root)) == 2


def test_a_renamed_photo_makes_a_new_cache(root):
    before = _open(root).contents
    (root / "train_set" / "00" / "0.png").rename(root / "train_set" / "00" / "9.png")
    assert _open(root).contents == [*before[1:], before[0]]


def test_sizes_and_channels_have_caches_of_their_own(root):
    shapes = [
        _open(root, image_size=size, in_channels=channels).pixels.shape for size, channels in ((16, 1), (8, 1), (16, 3))
    ]
    assert shapes == [(5, 16, 16, 1), (5, 8, 8, 1), (5, 16, 16, 3)]
    assert len(_folders(root)) == 3


def test_photos_are_turned_before_they_are_kept(root, monkeypatch):
    plain, flip = _open(root), _Flip()
    turned = _open(root, orientation=flip)
    np.testing.assert_array_equal(turned.pixels[..., 0], np.rot90(plain.pixels[..., 0], axes=(1, 2)))
    assert turned.contents == plain.contents
    assert flip.turned == 5
    np.testing.assert_array_equal(_open(root, orientation=flip).pixels, turned.pixels)
    assert flip.turned == 5


def test_each_orientation_has_a_cache_of_its_own(root):
    for orientation in (None, _Flip("quarter"), _Flip("other"), _Flip("quarter")):
        _open(root, orientation=orientation)
    assert len(_folders(root)) == 3


def test_all_photos_are_turned_chunk_by_chunk(root, monkeypatch):
    monkeypatch.setattr(cache, "_CHUNK", 2)
    turned = _open(root, orientation=_Flip()).pixels[..., 0]
    np.testing.assert_array_equal(turned, np.stack([np.rot90(_noise(seed)) for seed in range(5)]))


def test_large_folders_are_decoded_in_pieces_that_keep_their_order(root, monkeypatch):
    (root / "train_set" / "00" / "1.png").write_bytes(b"\x89PNG\r\n\x1a\n junk")
    whole = _open(root)
    for folder in _folders(root):
        shutil.rmtree(folder)
    monkeypatch.setattr(cache, "_CHUNK", 3)
    monkeypatch.setattr(cache, "_PIECE", 2)
    pieces = _open(root)
    np.testing.assert_array_equal(pieces.pixels, whole.pixels)
    assert (pieces.contents, pieces.undecodable) == (whole.contents, whole.undecodable)


def test_a_chunk_in_which_nothing_can_be_decoded_is_not_turned(root, monkeypatch):
    monkeypatch.setattr(cache, "_CHUNK", 1)
    (root / "train_set" / "00" / "2.png").write_bytes(b"\x89PNG\r\n\x1a\n junk")
    flip = _Flip()
    assert not _open(root, orientation=flip).pixels[2].any()
    assert flip.turned == 4


def test_what_cannot_be_decoded_is_not_turned(root):
    (root / "train_set" / "00" / "2.png").write_bytes(b"\x89PNG\r\n\x1a\n junk")
    flip = _Flip()
    assert list(_open(root, orientation=flip).undecodable) == [2]
    assert flip.turned == 4


def _cut(path):
    path.write_bytes(path.read_bytes()[:-7])


def _flip(path):
    data = bytearray(path.read_bytes())
    data[-100] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("pixels.npy", _cut),
        ("pixels.npy", _flip),
        ("pixels.npy", lambda path: path.write_bytes(b"")),
        ("pixels.npy", lambda path: path.unlink()),
        ("index.json", _cut),
        ("index.json", lambda path: path.write_text("{}")),
        ("index.json", lambda path: path.write_text("[]")),
        ("index.json", lambda path: path.write_bytes(b"\xff\xfe\xfd")),
        ("index.json", lambda path: path.unlink()),
    ],
)
def test_a_damaged_cache_is_built_anew_with_a_warning(root, caplog, name, damage):
    before = _digest(root)
    (folder,) = _folders(root)
    damage(folder / name)
    assert _digest(root) == before
    assert "is damaged" in caplog.text
    assert _folders(root) == [folder]


def test_a_rebuilt_cache_is_whole(root, caplog, monkeypatch):
    _open(root)
    _cut(_folders(root)[0] / "pixels.npy")
    _open(root)
    caplog.clear()
    monkeypatch.setattr(cache, "decode", _never)
    _open(root)
    assert caplog.text == ""


def test_a_truncated_photo_is_undecodable_and_the_others_survive(root):
    stream = io.BytesIO()
    Image.fromarray(_noise(7, (64, 64))).save(stream, "JPEG")
    (root / "train_set" / "00" / "2.png").write_bytes(stream.getvalue()[:1500])
    images = _open(root)
    assert list(images.undecodable) == [2]
    assert images.undecodable[2].startswith("cannot be decoded (image file is truncated")
    assert images.contents[2] == ""
    assert not images.pixels[2].any()
    np.testing.assert_array_equal(images.pixels[4, ..., 0], _noise(4))


def test_junk_behind_a_signature_is_undecodable_for_a_reason_without_its_path(root):
    (root / "train_set" / "00" / "1.png").write_bytes(b"\xff\xd8\xff nothing of the kind")
    reason = _open(root).undecodable[1]
    assert reason.startswith("cannot be decoded (")
    assert str(root) not in reason


def test_undecodable_photos_are_remembered(root, monkeypatch):
    (root / "train_set" / "00" / "2.png").write_bytes(b"\x89PNG\r\n\x1a\n junk")
    first = _open(root).undecodable
    monkeypatch.setattr(cache, "decode", _never)
    assert _open(root).undecodable == first != {}


def test_colour_is_turned_to_grey(tmp_path):
    image = Image.fromarray(_noise(0, (SIZE, SIZE, 3)))
    image.save(tmp_path / "a.png")
    pixels, _, _, colour = _decode(tmp_path / "a.png", in_channels=1)
    np.testing.assert_array_equal(pixels[..., 0], np.asarray(image.convert("L")))
    assert colour


def test_colour_is_kept_with_three_channels(tmp_path):
    Image.fromarray(_noise(0, (SIZE, SIZE, 3))).save(tmp_path / "a.png")
    np.testing.assert_array_equal(_decode(tmp_path / "a.png", in_channels=3)[0], _noise(0, (SIZE, SIZE, 3)))


def test_grey_has_three_equal_channels_and_is_not_in_colour(tmp_path):
    Image.fromarray(_noise(0)).save(tmp_path / "a.png")
    pixels, _, _, colour = _decode(tmp_path / "a.png", in_channels=3)
    np.testing.assert_array_equal(pixels, np.repeat(_noise(0)[..., None], 3, axis=2))
    assert not colour


def test_another_size_is_resized(tmp_path):
    image = Image.fromarray(_noise(0, (100, 100)))
    image.save(tmp_path / "a.png")
    pixels, _, size, _ = _decode(tmp_path / "a.png", image_size=64)
    np.testing.assert_array_equal(pixels[..., 0], np.asarray(image.resize((64, 64), Image.Resampling.BILINEAR)))
    assert size == (100, 100)


def test_a_photo_that_is_not_square_tells_width_before_height(tmp_path):
    Image.fromarray(_noise(0, (10, 30))).save(tmp_path / "a.png")
    pixels, _, size, _ = _decode(tmp_path / "a.png")
    assert (pixels.shape, size) == ((SIZE, SIZE, 1), (30, 10))


def test_sixteen_bits_are_scaled_to_eight(tmp_path):
    Image.fromarray(_noise(0).astype(np.uint16) * 257).save(tmp_path / "a.png")
    np.testing.assert_array_equal(_decode(tmp_path / "a.png")[0][..., 0], _noise(0))


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "WEBP"])
@pytest.mark.parametrize(
    ("tag", "turn"),
    [
        (3, Image.Transpose.ROTATE_180),
        (5, Image.Transpose.TRANSPOSE),
        (6, Image.Transpose.ROTATE_270),
        (8, Image.Transpose.ROTATE_90),
    ],
)
def test_photos_are_turned_as_the_camera_says(tmp_path, kind, tag, turn):
    image = Image.fromarray(_noise(0, (16, 24)))
    lossless = {"quality": 95} if kind == "JPEG" else {"lossless": True} if kind == "WEBP" else {}
    stored = io.BytesIO()
    image.save(stored, kind, **lossless)
    exif = Image.Exif()
    exif[0x0112] = tag
    image.save(tmp_path / "a", kind, exif=exif, **lossless)
    upright = Image.open(stored).convert("L").transpose(turn)
    pixels, _, size, _ = _decode(tmp_path / "a", image_size=32)
    assert size == upright.size
    np.testing.assert_array_equal(pixels[..., 0], np.asarray(upright.resize((32, 32), Image.Resampling.BILINEAR)))


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P", "LA"])
def test_content_is_the_same_however_a_grey_photo_is_stored(tmp_path, mode):
    image = Image.fromarray(_noise(0))
    image.save(tmp_path / "grey.png")
    image.convert(mode).save(tmp_path / "other.png")
    assert _content(tmp_path / "grey.png") == _content(tmp_path / "other.png")


@pytest.mark.parametrize("options", [{"format": "PNG", "compress_level": 9}, {"format": "BMP"}, {"format": "TIFF"}])
@pytest.mark.parametrize("shape", [(SIZE, SIZE), (SIZE, SIZE, 3)], ids=["grey", "colour"])
def test_content_is_the_same_in_another_file_format(tmp_path, options, shape):
    image = Image.fromarray(_noise(0, shape))
    image.save(tmp_path / "a.png", compress_level=0)
    image.save(tmp_path / "b.png", **options)
    assert (tmp_path / "a.png").read_bytes() != (tmp_path / "b.png").read_bytes()
    assert _content(tmp_path / "a.png") == _content(tmp_path / "b.png")


def test_content_is_that_of_the_original_pixels(tmp_path):
    Image.fromarray(_noise(0)).save(tmp_path / "a.png")
    settings = [{"image_size": 8}, {"image_size": 64}, {"in_channels": 3}]
    assert {_content(tmp_path / "a.png", **s) for s in settings} == {_content(tmp_path / "a.png")}


def test_content_differs_for_one_grey_level(tmp_path):
    pixels = _noise(0)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    pixels[3, 4] ^= 1
    Image.fromarray(pixels).save(tmp_path / "b.png")
    assert _content(tmp_path / "a.png") != _content(tmp_path / "b.png")


def test_content_differs_between_shapes_of_the_same_bytes(tmp_path):
    Image.fromarray(_noise(0).reshape(8, 32)).save(tmp_path / "a.png")
    Image.fromarray(_noise(0).reshape(32, 8)).save(tmp_path / "b.png")
    assert _content(tmp_path / "a.png") != _content(tmp_path / "b.png")


def test_content_differs_between_colour_and_its_grey_even_in_grey(tmp_path):
    image = Image.fromarray(_noise(0, (SIZE, SIZE, 3)))
    image.save(tmp_path / "a.png")
    image.convert("L").save(tmp_path / "b.png")
    assert _content(tmp_path / "a.png") != _content(tmp_path / "b.png")


def test_whoever_builds_second_takes_the_cache_of_the_first(root, monkeypatch):
    build = cache._build

    def overtaken(*arguments):
        monkeypatch.setattr(cache, "_build", build)
        _open(root)
        build(*arguments)

    monkeypatch.setattr(cache, "_build", overtaken)
    np.testing.assert_array_equal(_open(root).pixels[2, ..., 0], _noise(2))
    assert len(_folders(root)) == 1


def test_two_processes_that_start_together_get_the_same_pixels(root):
    context = get_context("spawn")
    both_are_up = context.Barrier(2)
    with ProcessPoolExecutor(2, mp_context=context, initializer=both_are_up.wait, initargs=(60,)) as pool:
        first, second = pool.map(_digest, [root, root], timeout=120)
    assert first == second == _digest(root)
    assert len(_folders(root)) == 1
