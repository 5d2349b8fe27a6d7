"""How a new camera's pictures differ from the old ones, and the old ones as it would have taken them.

Labels are scarce where pictures have changed, but the old pictures have theirs. What a camera does to light can be told
from pictures of other things: from their spectra. So old pictures are made into new ones that need no new label (it is
what Yang and Soatto 2020, "FDA: Fourier domain adaptation", do with amplitudes alone).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Camera"]

_NEAR: Final = {"gain": 0.1, "offset": 12.0, "blur": 0.3, "noise": 2.5}
"""Differences that nobody would see: a camera within all of these is the same."""
_BLIND: Final = 0.05
"""A camera with less gain shows nothing that could be learned from."""
_BANDS: Final = 24


@dataclass(frozen=True)
class Camera:
    """What a new camera makes of a picture that the old one has taken, by colour (red, green, blue).

    Attributes:
        gain: by what light is multiplied.
        offset: what is added, in steps of 255.
        blur: standard deviation of a normal point spread, in pixels of the model's input; of all colours.
        noise: standard deviation of what is added to each pixel on its own, in steps of 255.
    """

    gain: tuple[float, float, float]
    offset: tuple[float, float, float]
    blur: float
    noise: tuple[float, float, float]

    @classmethod
    def between(cls, old: NDArray[np.uint8], new: NDArray[np.uint8]) -> Self:
        """Tell it from pictures of two cameras, which need not show the same things but the same kinds of things.

        The power of a new picture at frequency f is taken to be gain² · exp(-(blur · f)²) · old power + noise². All are
        fitted to the mean spectra of both, so that each octave counts for about the same.

        Args:
            old: (N, H, W, 3), upright RGB.
            new: (M, H, W, 3), of the same size.
        """
        from scipy.optimize import least_squares

        frequency, before = _spectrum(old)
        _, after = _spectrum(new)

        def spectrum(flat: NDArray[np.float64]) -> NDArray[np.float64]:
            gain, noise, blur = flat[:3], flat[3:6], flat[6]
            found: NDArray[np.float64] = gain**2 * np.exp(-((blur * frequency[:, None]) ** 2)) * before + noise**2
            return found

        def off(flat: NDArray[np.float64]) -> NDArray[np.float64]:
            found: NDArray[np.float64] = np.log((spectrum(flat) + 1e-6) / (after + 1e-6)).ravel()
            return found

        start = np.array([1.0] * 3 + [1.0] * 3 + [0.1])
        most = np.array([10.0] * 3 + [128.0] * 3 + [10.0])
        flat = least_squares(off, start, bounds=(np.zeros(7), most)).x
        offset = new.mean((0, 1, 2)) - flat[:3] * old.mean((0, 1, 2))
        gain, noise, shift = (tuple(part.tolist()) for part in (flat[:3], flat[3:6], offset))
        return cls(gain, shift, float(flat[6]), noise)

    @property
    def is_new(self) -> bool:
        """Whether anybody would see a difference, and the pictures still show something."""
        if min(self.gain) < _BLIND:
            return False
        found = {
            "gain": max(abs(gain - 1) for gain in self.gain),
            "offset": max(map(abs, self.offset)),
            "blur": self.blur,
            "noise": max(self.noise),
        }
        return any(found[name] > near for name, near in _NEAR.items())

    def take(self, images: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
        """Make pictures of the old camera into pictures of the new one, (N, H, W, 3)."""
        from scipy.ndimage import gaussian_filter

        values = images.astype(np.float32)
        if self.blur > 0.05:
            values = gaussian_filter(values, (0, self.blur, self.blur, 0))
        gain, offset, noise = (np.array(part, np.float32) for part in (self.gain, self.offset, self.noise))
        values = gain * values + offset + noise * rng.standard_normal(values.shape, np.float32)
        found: NDArray[np.uint8] = values.round().clip(0, 255).astype(np.uint8)
        return found

    def to_json(self) -> dict[str, Any]:
        """For the record, rounded."""
        return {
            name: [round(each, 3) for each in value] if isinstance(value, tuple) else round(value, 3)
            for name, value in asdict(self).items()
        }


def _spectrum(images: NDArray[np.uint8]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean power of pictures (N, H, W, 3) by bands of frequency: radians a pixel (B,), and steps² a pixel (B, 3)."""
    height, width = images.shape[1:3]
    y, x = np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None]
    radius = 2 * np.pi * np.hypot(y, x).ravel()
    order = np.argsort(radius, kind="stable")[1:]  # but the mean
    # a window, or what differs between opposite edges would look like detail
    window = (np.hanning(height)[:, None] * np.hanning(width))[..., None]
    power = np.zeros((height, width // 2 + 1, 3))
    for image in images:
        values = image - image.mean((0, 1))
        power += np.abs(np.fft.rfft2(values * window, axes=(0, 1))) ** 2
    flat = power.reshape(-1, 3) / (len(images) * (window**2).sum())
    # bands of the same width in log frequency; those in which there is nothing are left out
    edges = np.geomspace(radius[order[0]], radius[order[-1]], _BANDS + 1)[1:-1]
    bands = np.searchsorted(edges, radius[order], "right")
    found = [order[bands == band] for band in np.unique(bands)]
    # how pictures differ as a whole is a band, too: where all else is as even as noise, only it tells gain from noise
    whole = images.mean((1, 2)).var(0) * height * width
    return np.array([0, *(radius[rows].mean() for rows in found)]), np.array(
        [whole, *(flat[rows].mean(0) for rows in found)]
    )
