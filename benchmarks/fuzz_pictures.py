"""Pictures as nobody should send them: of every mode and odd shape, damaged in every way, and bombs.

Each comes with the statuses that are right for it. All follow from a seed.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any

import PIL.Image

__all__ = ["Hostile", "PictureFuzz"]

FINE = frozenset({200})
BAD = frozenset({400})
LARGE = frozenset({413})
ANY = frozenset({200, 400, 413})
"""What may become of a picture that was damaged at random: it may still be one."""


@dataclass(frozen=True)
class Hostile:
    """A picture file, what kind of mischief it is, and the statuses that are right."""

    kind: str
    data: bytes
    allowed: frozenset[int]


class PictureFuzz:
    """Makes pictures, one after the other.

    Args:
        random: all chance comes from it.
    """

    def __init__(self, random: Random) -> None:
        self._random = random
        self._whole = _whole_pictures()
        self._bombs = _bombs()
        self._largest = Hostile("the largest that is allowed", _encoded(PIL.Image.new("1", (8900, 8900)), "PNG"), FINE)

    def next(self) -> Hostile:
        """One more."""
        chance = self._random.random()
        if chance < 0.001:
            return self._largest
        if chance < 0.12:
            return self._random.choice(self._whole)
        if chance < 0.15:
            return self._random.choice(self._bombs)
        victim = self._random.choice(self._whole).data
        name, damage = self._random.choice(_DAMAGE)
        return Hostile(name, damage(victim, self._random), ANY)


def _encoded(picture: PIL.Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def _drawn(mode: str = "RGB", size: tuple[int, int] = (48, 36)) -> PIL.Image.Image:
    """Colours that change across the picture, so that it compresses like one."""
    if mode == "I;16":
        return PIL.Image.frombytes(mode, size, bytes(value & 255 for value in range(2 * size[0] * size[1])))
    bands = [PIL.Image.linear_gradient("L").resize(size).rotate(90 * turn) for turn in range(3)]
    return PIL.Image.merge("RGB", bands).convert(mode)


def _whole_pictures() -> list[Hostile]:
    """Undamaged ones, with the kinds that decoders stumble over."""
    found = [
        Hostile(f"PNG {mode}", _encoded(_drawn(mode), "PNG"), FINE)
        for mode in ("RGB", "RGBA", "L", "LA", "P", "1", "I;16")
    ]
    found += [Hostile(f"JPEG {mode}", _encoded(_drawn(mode), "JPEG"), FINE) for mode in ("RGB", "L", "CMYK")]
    found.append(Hostile("JPEG progressive", _encoded(_drawn(), "JPEG", progressive=True), FINE))
    for options in ({}, {"lossless": True}):
        found += [Hostile(f"WebP {mode}", _encoded(_drawn(mode), "WEBP", **options), FINE) for mode in ("RGB", "RGBA")]
    for orientation in range(10):  # 0 and 9 are none
        exif = PIL.Image.Exif()
        exif[0x0112] = orientation
        found.append(Hostile("EXIF orientation", _encoded(_drawn(), "JPEG", exif=exif), FINE))
    palette = _drawn("P")
    found.append(Hostile("palette with transparency", _encoded(palette, "PNG", transparency=b"\0\x80" * 9), FINE))
    frames = [_drawn().rotate(30 * turn) for turn in range(3)]
    for kind in ("PNG", "WEBP", "GIF"):
        moving = _encoded(frames[0], kind, save_all=True, append_images=frames[1:])
        found.append(Hostile(f"animated {kind}", moving, frozenset({200, 400})))
    shapes = ((1, 1), (65_535, 1), (1, 65_535), (3000, 2))
    found += [
        Hostile(f"{width}x{height}", _encoded(_drawn(size=(width, height)), "PNG"), FINE) for width, height in shapes
    ]
    found.append(Hostile("JPEG 65500x1", _encoded(_drawn(size=(65_500, 1)), "JPEG"), FINE))
    strange = (b"", b"\0", b"GIF89a", b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"%PDF-1.7\n", b"\x89PNG\r\n\x1a\n")
    found += [Hostile("no picture", data, BAD) for data in strange]
    return found


def _bombs() -> list[Hostile]:
    """Small files that would be large once they are unpacked."""
    zeros = zlib.compress(bytes(30_000 * 3751), 9)  # a row is a byte, and a bit a pixel
    header = _chunk(b"IHDR", struct.pack(">IIBBBBB", 30_000, 30_000, 1, 0, 0, 0, 0))
    start, end = b"\x89PNG\r\n\x1a\n", _chunk(b"IEND", b"")
    found = [Hostile("PNG bomb", start + header + _chunk(b"IDAT", zeros) + end, LARGE)]
    for width, height in ((65_535, 65_535), (2**31 - 1, 2**31 - 1), (0, 5), (2**31 - 1, 1)):
        claim = _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
        found.append(Hostile("PNG that claims a size", start + claim + _chunk(b"IDAT", zeros) + end, LARGE | BAD))
    text = _chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(80 * 2**20), 9))
    profile = _chunk(b"iCCP", b"icc\0\0" + zlib.compress(bytes(40 * 2**20), 9))
    plain = _encoded(_drawn(), "PNG")
    for name, chunk in (("PNG text bomb", text), ("PNG profile bomb", profile)):
        found.append(Hostile(name, plain[:33] + chunk + plain[33:], ANY))
    many = b"".join(_chunk(b"tEXt", b"k\0" + b"v" * 100) for _ in range(5000))
    found.append(Hostile("PNG of many chunks", plain[:33] + many + plain[33:], ANY))
    gif = bytearray(_encoded(_drawn("P"), "GIF"))
    gif[6:10] = struct.pack("<HH", 65_535, 65_535)
    found.append(Hostile("GIF that claims a size", bytes(gif), LARGE | BAD))
    jpeg = _encoded(_drawn(), "JPEG")
    found.append(Hostile("JPEG that claims a size", _jpeg_size(jpeg, 65_500, 65_500), LARGE | BAD))
    # within the limit on pixels, and 230 MB once unpacked
    found.append(Hostile("JPEG of 77 million pixels in no bytes", _jpeg_size(jpeg, 65_500, 1180), ANY))
    return found


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def _jpeg_size(data: bytes, width: int, height: int) -> bytes:
    place = next(at for marker in (b"\xff\xc0", b"\xff\xc2") if (at := data.find(marker)) > 0)
    return data[: place + 5] + struct.pack(">HH", height, width) + data[place + 9 :]


def _place(data: bytes, random: Random) -> int:
    """Where to do damage: half the time in the first bytes, where sizes and types stand."""
    return random.randrange(max(1, min(len(data), 64) if random.random() < 0.5 else len(data)))


def _cut(data: bytes, random: Random) -> bytes:
    return data[: random.randrange(len(data) + 1)]


def _flip(data: bytes, random: Random) -> bytes:
    found = bytearray(data)
    for _ in range(random.randint(1, 12) if found else 0):
        found[_place(data, random)] ^= 1 << random.randrange(8)
    return bytes(found)


def _overwrite(data: bytes, random: Random) -> bytes:
    words = (
        b"\0\0\0\0",
        b"\xff\xff\xff\xff",
        b"\x7f\xff\xff\xff",
        b"\0\0\0\1",
        b"\xff\xd9\xff\xd8",
        random.randbytes(4),
    )
    place, word = _place(data, random), random.choice(words)
    return data[:place] + word + data[place + len(word) :]


def _insert(data: bytes, random: Random) -> bytes:
    place = _place(data, random)
    return data[:place] + random.randbytes(random.randint(1, 64)) + data[place:]


def _remove(data: bytes, random: Random) -> bytes:
    place = _place(data, random)
    return data[:place] + data[place + random.randint(1, 64) :]


def _repeat(data: bytes, random: Random) -> bytes:
    place = _place(data, random)
    part = data[place : place + random.randint(1, 200)]
    return data[:place] + part * random.randint(2, 20) + data[place:]


def _blank(data: bytes, random: Random) -> bytes:
    place, size = _place(data, random), random.randint(1, 400)
    return data[:place] + bytes(min(size, len(data) - place)) + data[place + size :]


def _append(data: bytes, random: Random) -> bytes:
    return data + random.randbytes(random.randint(1, 2000))


def _sizes(data: bytes, random: Random) -> bytes:
    """Another size in the header, with a checksum that is right: what comes after no longer fits."""
    sizes = [random.choice((0, 1, 2, 31, 47, 100, 4000, 65_500, random.randrange(70_000))) for _ in range(2)]
    if data.startswith(b"\x89PNG") and len(data) > 33:
        header = struct.pack(">II", *sizes) + data[24:29]
        return data[:8] + _chunk(b"IHDR", header) + data[33:]
    if data.startswith(b"\xff\xd8") and (b"\xff\xc0" in data or b"\xff\xc2" in data):
        return _jpeg_size(data, min(sizes[0], 65_535), min(sizes[1], 65_535))
    return _overwrite(data, random)


def _exif(data: bytes, random: Random) -> bytes:
    """EXIF data that is not."""
    if not data.startswith(b"\xff\xd8"):
        return _flip(data, random)
    tags = struct.pack(">H", random.randrange(400)) + random.randbytes(random.randrange(200))
    body = b"Exif\0\0" + random.choice((b"MM\0*\0\0\0\x08", b"II*\0\x08\0\0\0", random.randbytes(8))) + tags
    return data[:2] + b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body + data[2:]


def _noise(data: bytes, random: Random) -> bytes:
    return data[: random.randrange(40)] + random.randbytes(random.randint(0, 400))


_DAMAGE: tuple[tuple[str, Callable[[bytes, Random], bytes]], ...] = (
    ("cut short", _cut), ("bits flipped", _flip), ("overwritten", _overwrite), ("bytes put in", _insert),
    ("bytes taken out", _remove), ("bytes repeated", _repeat), ("blanked", _blank), ("more behind it", _append),
    ("another size", _sizes), ("EXIF damaged", _exif), ("noise behind its first bytes", _noise),
)  # fmt: skip
