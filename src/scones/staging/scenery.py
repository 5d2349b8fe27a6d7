"""Backgrounds for the drawn pictures: sky, road, grass, walls, and what stands about."""

from __future__ import annotations

import math

import numpy as np
import PIL.Image
import PIL.ImageDraw

__all__ = ["Colour", "paint_scene", "shade", "vivid"]

Colour = tuple[int, int, int]


def shade(rng: np.random.Generator, low: int, high: int) -> Colour:
    """A grey between two levels, slightly tinted."""
    level = rng.uniform(low, high)
    red, green, blue = np.clip(level + rng.normal(0, 6, 3), 0, 255).astype(int)
    return int(red), int(green), int(blue)


def vivid(rng: np.random.Generator) -> Colour:
    """Any colour, as paint has it."""
    red, green, blue = rng.integers(10, 245, 3)
    return int(red), int(green), int(blue)


def _muted(rng: np.random.Generator) -> Colour:
    """A colour as walls have it."""
    red, green, blue = (np.array(vivid(rng)) * 0.35 + rng.uniform(40, 150)).astype(int)
    return int(red), int(green), int(blue)


def paint_scene(image: PIL.Image.Image, rng: np.random.Generator) -> float:
    """Paint a background over the whole image.

    Args:
        image: a square RGB image; it is changed.
        rng: decides on the scene.

    Returns:
        Where the ground is: the height on which wheels stand, from the top, 0 to 1.
    """
    side = image.width
    draw = PIL.ImageDraw.Draw(image)
    kind = rng.choice(("street", "park", "wall", "studio"), p=(0.35, 0.25, 0.25, 0.15))
    horizon = rng.uniform(0.3, 0.7)
    if kind == "studio":
        light = shade(rng, 120, 250)
        _gradient(image, light, shade(rng, 90, 250))
        return float(rng.uniform(0.65, 0.8))
    if kind == "wall":
        _gradient(image, _muted(rng), _muted(rng))
        _bricks(draw, side, rng)
    else:
        sky = (int(rng.integers(90, 220)), int(rng.integers(130, 225)), int(rng.integers(160, 255)))
        _gradient(image, sky, shade(rng, 170, 245))
        _clutter(draw, side, horizon, rng, green=kind == "park")
    ground = _grass(rng) if kind == "park" and rng.random() < 0.7 else shade(rng, 60, 190)
    start = max(horizon, 0.6) if kind == "wall" else horizon
    draw.rectangle((0, start * side, side, side), fill=ground)
    _ground_marks(draw, side, start, rng)
    return float(rng.uniform(start + 0.12, 0.85))


def _gradient(image: PIL.Image.Image, top: Colour, bottom: Colour) -> None:
    mix = np.linspace(0, 1, image.height)[:, None]
    rows = np.array(top) * (1 - mix) + np.array(bottom) * mix
    image.paste(PIL.Image.fromarray(rows[:, None, :].astype(np.uint8)).resize(image.size))


def _grass(rng: np.random.Generator) -> Colour:
    return int(rng.integers(40, 130)), int(rng.integers(90, 170)), int(rng.integers(30, 90))


def _bricks(draw: PIL.ImageDraw.ImageDraw, side: int, rng: np.random.Generator) -> None:
    colour, step = _muted(rng), int(rng.integers(8, 26))
    upright = rng.random() < 0.6
    for at in range(0, side, step):
        ends = (at, 0, at, side) if upright else (0, at, side, at)
        draw.line(ends, fill=colour, width=int(rng.integers(1, 4)))
    for _ in range(int(rng.integers(0, 3))):  # windows and doors
        x, y = rng.uniform(0, side, 2)
        draw.rectangle((x, y, x + rng.uniform(12, 40), y + rng.uniform(12, 50)), fill=vivid(rng))


def _clutter(
    draw: PIL.ImageDraw.ImageDraw, side: int, horizon: float, rng: np.random.Generator, *, green: bool
) -> None:
    ground = horizon * side
    for _ in range(int(rng.integers(1, 7))):
        x, wide, high = rng.uniform(-10, side), rng.uniform(8, 45), rng.uniform(10, 60)
        if green or rng.random() < 0.4:  # a tree
            draw.line((x + wide / 2, ground, x + wide / 2, ground - high / 2), fill=(80, 60, 45), width=4)
            draw.ellipse((x, ground - high * 1.3, x + wide, ground - high * 0.3), fill=_grass(rng))
        elif rng.random() < 0.7:  # a house
            draw.rectangle((x, ground - high, x + wide, ground), fill=shade(rng, 60, 220))
        else:  # a lamp post
            draw.line((x, ground, x, ground - high * 1.4), fill=shade(rng, 30, 120), width=3)


def _ground_marks(draw: PIL.ImageDraw.ImageDraw, side: int, start: float, rng: np.random.Generator) -> None:
    for _ in range(int(rng.integers(0, 4))):  # lanes and kerbs
        y, tilt = rng.uniform(start, 1) * side, math.tan(rng.normal(0, 0.15)) * side
        draw.line((0, y, side, y + tilt), fill=shade(rng, 80, 245), width=int(rng.integers(1, 6)))
    for _ in range(int(rng.integers(0, 5))):  # stones, leaves, litter, drain covers
        x, y, size = rng.uniform(0, side), rng.uniform(start, 1) * side, rng.uniform(2, 14)
        draw.ellipse((x, y, x + size, y + size / 2), fill=shade(rng, 40, 220))
