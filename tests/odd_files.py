"""Files that are no photos, or odd ones."""

from __future__ import annotations

import io
import random
import struct
import zlib
from collections.abc import Iterator

import numpy as np
from PIL import Image


def grey(side: int = 40) -> Image.Image:
    return Image.fromarray((np.add.outer(np.arange(side), np.arange(side)) * 3 % 256).astype(np.uint8))


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def claimed(width: int, height: int) -> bytes:
    """A small PNG that claims many pixels."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0" * 1000)) + chunk(b"IEND", b"")
    )


ODD = {
    "16 bit": encoded(Image.fromarray(np.asarray(grey()).astype(np.uint16) * 256), "PNG"),
    "palette": encoded(grey().convert("P"), "PNG"),
    "CMYK": encoded(grey().convert("CMYK"), "JPEG"),
    "alpha": encoded(grey().convert("RGBA"), "PNG"),
    "animated": encoded(grey(), "WEBP", save_all=True, append_images=[grey()], lossless=True),
    "TIFF": encoded(grey(), "TIFF"),
    "BMP": encoded(grey(), "BMP"),
    "1x1": encoded(grey(1), "PNG"),
}


def mutated(number: int) -> Iterator[bytes]:
    """So many files of six formats with bytes changed, cut out and doubled; always the same ones."""
    sources = [encoded(grey(), kind) for kind in ("PNG", "JPEG", "BMP", "TIFF", "WEBP")] + [ODD["palette"]]
    chance = random.Random(0)
    for k in range(number):
        data = bytearray(sources[k % len(sources)])
        for _ in range(chance.randint(1, 8)):
            at = chance.randrange(len(data))
            match chance.randrange(4):
                case 0:
                    data[at] = chance.randrange(256)
                case 1:
                    del data[at : at + chance.randint(1, 40)]
                case 2:
                    data[at:at] = data[at : at + chance.randint(1, 40)]
                case 3:
                    data[at : at + 4] = chance.choice([b"\xff\xff\xff\xff", b"\0\0\0\0", b"\x7f\xff\xff\xff"])
            data = data or bytearray(b"\0")
        yield bytes(data)
