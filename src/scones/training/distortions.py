"""What happens to pictures on their way: photographs of other sizes and framings, and common damage.

Every distortion takes an upright RGB image and gives the bytes of a picture file, so that a model gets it
through the very same path as a picture that came in. Lengths are shares of the picture's shorter side. The kinds of
damage are those of Hendrycks & Dietterich (2019, "Benchmarking neural network robustness to common
corruptions and perturbations") that need nothing but Pillow and numpy.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import PIL.Image
from PIL import ImageEnhance, ImageFilter, ImageStat

__all__ = ["DISTORTIONS", "Distortion"]

_PHOTO_QUALITY = 90
_FRAME = 224


@dataclass(frozen=True)
class Distortion:
    """A way to distort pictures, in steps.

    Attributes:
        name: a word or two.
        group: "photograph" for what is no damage at all, else "damage".
        setting: how a step is told, with ``{}`` for its number.
        steps: from the mildest to the strongest.
        apply: makes a picture file of an upright RGB image, a step and a random generator.
    """

    name: str
    group: Literal["photograph", "damage"]
    setting: str
    steps: tuple[float, ...]
    apply: Callable[[PIL.Image.Image, float, np.random.Generator], bytes]

    def told(self, step: float) -> str:
        """The step for people.

        Example:
            >>> DISTORTIONS[0].told(64)
            '64 pixels'
        """
        return self.setting.format(f"{100 * step:g}\N{NARROW NO-BREAK SPACE}%" if step < 1 else f"{step:g}")


def _written(image: PIL.Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "BMP")  # without loss, and many times faster than PNG
    return buffer.getvalue()


def _jpeg(image: PIL.Image.Image, quality: float, _: np.random.Generator) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=int(quality))
    return buffer.getvalue()


def _scaled(image: PIL.Image.Image, longest: float) -> PIL.Image.Image:
    factor = longest / max(image.size)
    size = (max(1, round(image.width * factor)), max(1, round(image.height * factor)))
    return image.resize(size, PIL.Image.Resampling.BICUBIC)


def _photograph(image: PIL.Image.Image, side: float, rng: np.random.Generator) -> bytes:
    return _jpeg(_scaled(image, side), _PHOTO_QUALITY, rng)


def _margins(image: PIL.Image.Image, margin: float, rng: np.random.Generator) -> bytes:
    """Off-centre in a larger photograph, before what looks like its own surroundings out of focus."""
    side = max(_FRAME, *image.size)
    blurred = image.resize((8, 8), PIL.Image.Resampling.BOX)
    frame = blurred.resize((side, side), PIL.Image.Resampling.BICUBIC)
    inner = _scaled(image, side * (1 - margin))
    place = (int(rng.integers(side - inner.width + 1)), int(rng.integers(side - inner.height + 1)))
    frame.paste(inner, place)
    return _jpeg(frame, _PHOTO_QUALITY, rng)


def _noise(image: PIL.Image.Image, deviation: float, rng: np.random.Generator) -> bytes:
    values = np.asarray(image) + rng.normal(0, 255 * deviation, (image.height, image.width, 3))
    return _written(PIL.Image.fromarray(np.clip(values.round(), 0, 255).astype(np.uint8)))


def _blur(image: PIL.Image.Image, radius: float, _: np.random.Generator) -> bytes:
    return _written(image.filter(ImageFilter.GaussianBlur(radius * min(image.size))))


def _brightness(image: PIL.Image.Image, factor: float, _: np.random.Generator) -> bytes:
    return _written(ImageEnhance.Brightness(image).enhance(factor))


def _darker(image: PIL.Image.Image, by: float, rng: np.random.Generator) -> bytes:
    return _brightness(image, 1 - by, rng)


def _brighter(image: PIL.Image.Image, by: float, rng: np.random.Generator) -> bytes:
    return _brightness(image, 1 + by, rng)


def _flatter(image: PIL.Image.Image, by: float, _: np.random.Generator) -> bytes:
    return _written(ImageEnhance.Contrast(image).enhance(1 - by))


def _rotation(image: PIL.Image.Image, degrees: float, rng: np.random.Generator) -> bytes:
    angle = degrees * (-1 if rng.random() < 0.5 else 1)
    return _written(image.rotate(angle, PIL.Image.Resampling.BICUBIC, fillcolor=_mean_colour(image)))


def _occlusion(image: PIL.Image.Image, share: float, rng: np.random.Generator) -> bytes:
    """A grey square over a part of the picture, at a random place."""
    side = max(1, round(share * min(image.size)))
    left, top = int(rng.integers(image.width - side + 1)), int(rng.integers(image.height - side + 1))
    covered = image.copy()
    covered.paste((128, 128, 128), (left, top, left + side, top + side))
    return _written(covered)


def _closer(image: PIL.Image.Image, cut: float, _: np.random.Generator) -> bytes:
    """Scale: the middle alone, as from a camera that stands too near."""
    width, height = image.size
    edge = (width * cut / 2, height * cut / 2)
    return _written(
        image.resize(image.size, PIL.Image.Resampling.BICUBIC, box=(*edge, width - edge[0], height - edge[1]))
    )


def _mean_colour(image: PIL.Image.Image) -> Any:
    return tuple(round(value) for value in ImageStat.Stat(image).mean)


DISTORTIONS = (
    Distortion("photograph", "photograph", "{} pixels", (64, 224, 640), _photograph),
    Distortion("off-centre", "photograph", "{} margin", (0.2, 0.4), _margins),
    Distortion("noise", "damage", "deviation {}", (0.05, 0.15), _noise),
    Distortion("blur", "damage", "radius {}", (0.03, 0.06), _blur),
    Distortion("darker", "damage", "by {}", (0.4, 0.7), _darker),
    Distortion("brighter", "damage", "by {}", (0.4, 0.8), _brighter),
    Distortion("less contrast", "damage", "by {}", (0.4, 0.7), _flatter),
    Distortion("JPEG", "damage", "quality {}", (30, 10), _jpeg),
    Distortion("rotation", "damage", "{} degrees", (15, 30), _rotation),
    Distortion("occlusion", "damage", "square of {}", (0.3, 0.5), _occlusion),
    Distortion("too close", "damage", "{} cut off", (0.2, 0.4), _closer),
)
"""All of them; photographs first."""
