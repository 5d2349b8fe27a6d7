"""Bicycles and motorcycles drawn by the project itself, for when there are no photographs at hand."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Literal

import numpy as np
import PIL.Image
import PIL.ImageDraw
import PIL.ImageFilter

from scones.errors import SourceError
from scones.picture import encode_png
from scones.staging.scenery import Colour, paint_scene, shade, vivid
from scones.staging.source import SourcePicture

__all__ = ["SYNTHETIC_LABELS", "synthetic_pictures"]

SYNTHETIC_LABELS = ("bicycle", "motorcycle")
"""What is drawn."""

_SIDE = 32
_CANVAS = 4 * _SIDE  # drawn four times as large, then scaled down: that is the antialiasing
_Point = tuple[float, float]


def synthetic_pictures(
    seed: int = 0, *, train: int = 500, test: int = 100, labels: Sequence[str] = SYNTHETIC_LABELS
) -> Iterator[SourcePicture]:
    """Draw pictures of 32x32 pixels.

    Each picture has random numbers of its own, so that asking for more of them changes none.

    Args:
        seed: the same seed draws the same pictures.
        train, test: pictures a label.
        labels: some of :data:`SYNTHETIC_LABELS`.

    Returns:
        The pictures as PNG.

    Raises:
        SourceError: another label is asked for.

    Example:
        >>> first = next(synthetic_pictures(seed=1))
        >>> first.label, first.split, first.origin
        ('bicycle', 'train', 'synthetic/1/train/bicycle/0')
    """
    if strange := [label for label in labels if label not in SYNTHETIC_LABELS]:
        raise SourceError(
            f"the synthetic source only draws {' and '.join(SYNTHETIC_LABELS)}, not {', '.join(strange)}: "
            "use --source folder or --source cifar100 for this task"
        )
    return _pictures(seed, {"train": train, "test": test}, labels)


def _pictures(seed: int, counts: dict[Literal["train", "test"], int], labels: Sequence[str]) -> Iterator[SourcePicture]:
    for part, (split, number) in enumerate(counts.items()):
        for label in labels:
            for index in range(number):
                rng = np.random.default_rng([seed, part, SYNTHETIC_LABELS.index(label), index])
                image = _photograph(label, rng)
                yield SourcePicture(f"synthetic/{seed}/{split}/{label}/{index}", label, encode_png(image), split)


def _photograph(label: str, rng: np.random.Generator) -> PIL.Image.Image:
    image = PIL.Image.new("RGB", (_CANVAS, _CANVAS))
    ground = paint_scene(image, rng)
    pen = _Pen(image, rng, ground)
    pen.shadow()
    (_draw_bicycle if label == "bicycle" else _draw_motorcycle)(pen, rng)
    if rng.random() < 0.5:
        image = image.filter(PIL.ImageFilter.GaussianBlur(rng.uniform(0.5, 3.0)))
    small = np.asarray(image.resize((_SIDE, _SIDE), PIL.Image.Resampling.BOX), np.float64)
    light = rng.uniform(0.65, 1.2) * rng.uniform(0.9, 1.1, 3)  # brightness, and the colour of the light
    contrast = rng.uniform(0.55, 1.15)
    lit = (small - 128) * contrast * light + 128 * light + rng.normal(0, rng.uniform(2, 11), small.shape)
    return PIL.Image.fromarray(np.clip(lit, 0, 255).astype(np.uint8))


class _Pen:
    """Draws in the vehicle's own coordinates: the hubs lie at (-0.5, 0) and (0.5, 0), y points up.

    The pose (place, size, turn, lean, view from the side or slanting, which way it faces) is random.
    """

    def __init__(self, image: PIL.Image.Image, rng: np.random.Generator, ground: float) -> None:
        self._draw = PIL.ImageDraw.Draw(image)
        self.scale = _CANVAS * rng.uniform(0.4, 0.64)
        turn = rng.normal(0, 0.09)
        narrow = rng.uniform(0.6, 1.0) * rng.choice((-1, 1))
        slant = rng.normal(0, 0.12)
        self._across = (narrow * math.cos(turn) * self.scale, narrow * math.sin(turn) * self.scale)
        self._up = ((slant - math.sin(turn)) * self.scale, -math.cos(turn) * self.scale)
        centre = _CANVAS * (0.5 + rng.normal(0, 0.05))
        hubs = min(max(ground * _CANVAS, 0.6 * _CANVAS), 0.82 * _CANVAS) - 0.1 * self.scale
        self._origin = (centre, hubs + rng.normal(0, 0.03) * _CANVAS)

    def at(self, point: _Point) -> _Point:
        x, y = point
        return (
            self._origin[0] + x * self._across[0] + y * self._up[0],
            self._origin[1] + x * self._across[1] + y * self._up[1],
        )

    def line(self, points: Sequence[_Point], width: float, colour: Colour) -> None:
        self._draw.line(
            [self.at(point) for point in points], fill=colour, width=max(1, round(width * self.scale)), joint="curve"
        )

    def shape(self, points: Sequence[_Point], colour: Colour) -> None:
        self._draw.polygon([self.at(point) for point in points], fill=colour)

    def disc(self, centre: _Point, radius: float, colour: Colour) -> None:
        self.shape(_circle(centre, radius), colour)

    def ring(self, centre: _Point, radius: float, width: float, colour: Colour) -> None:
        self.line(_circle(centre, radius), width, colour)

    def shadow(self) -> None:
        dark = (60, 60, 62)
        self.shape([(-0.85, -0.34), (0.8, -0.34), (0.9, -0.4), (-0.7, -0.4)], dark)


def _circle(centre: _Point, radius: float) -> list[_Point]:
    return [
        (centre[0] + radius * math.cos(angle), centre[1] + radius * math.sin(angle))
        for angle in np.linspace(0, 2 * math.pi, 25)
    ]


def _draw_bicycle(pen: _Pen, rng: np.random.Generator) -> None:
    paint, tyre = vivid(rng), shade(rng, 15, 80)
    metal = shade(rng, 120, 220)
    radius, thick = rng.uniform(0.3, 0.37), rng.uniform(0.03, 0.075)
    tube = rng.uniform(0.03, 0.07)
    for hub in ((-0.5, 0.0), (0.5, 0.0)):
        pen.ring(hub, radius, thick, tyre)
        start = rng.uniform(0, math.pi)
        for spoke in range(int(rng.integers(0, 6))):
            angle = start + spoke * math.pi / 5
            reach = (radius * math.cos(angle), radius * math.sin(angle))
            pen.line([(hub[0] - reach[0], -reach[1]), (hub[0] + reach[0], reach[1])], 0.008, metal)
    pedals, seat = (-0.05, -0.04), (-0.2 + rng.normal(0, 0.02), rng.uniform(0.4, 0.52))
    head, neck = (0.36, rng.uniform(0.44, 0.54)), (0.39, 0.34)
    if rng.random() < 0.25:  # a step-through frame
        frame = [(-0.5, 0.0), pedals, neck, (-0.12, 0.22), (-0.5, 0.0)]
    else:
        frame = [(-0.5, 0.0), pedals, neck, (seat[0], seat[1] - 0.06), (-0.5, 0.0)]
    pen.line(frame, tube, paint)
    pen.line([pedals, (seat[0] - 0.02, seat[1] + 0.08)], tube, paint)
    pen.line([head, neck, (0.5, 0.0)], tube, paint if rng.random() < 0.6 else metal)
    pen.disc(pedals, 0.07, metal)
    pen.line([(pedals[0] - 0.08, pedals[1] - 0.1), (pedals[0] + 0.08, pedals[1] + 0.1)], 0.035, tyre)
    pen.line([(seat[0] - 0.12, seat[1] + 0.1), (seat[0] + 0.09, seat[1] + 0.09)], 0.06, shade(rng, 10, 70))
    bars = rng.choice((-0.12, 0.02, 0.12))
    pen.line([head, (head[0] - 0.03, head[1] + 0.1), (head[0] + 0.1, head[1] + 0.1 + bars)], 0.04, shade(rng, 10, 120))
    if rng.random() < 0.25:  # a bag or basket
        back = rng.random() < 0.5
        corner = (-0.72, 0.32) if back else (0.42, 0.42)
        wide, high = rng.uniform(0.18, 0.3), rng.uniform(0.14, 0.24)
        x, y = corner
        pen.shape([(x, y), (x + wide, y), (x + wide, y + high), (x, y + high)], vivid(rng))
    if rng.random() < 0.22:
        _draw_rider(pen, rng, hip=(seat[0], seat[1] + 0.12), hands=(head[0], head[1] + 0.12), feet=pedals)


def _draw_motorcycle(pen: _Pen, rng: np.random.Generator) -> None:
    paint, tyre = vivid(rng), shade(rng, 10, 60)
    metal, dark = shade(rng, 110, 225), shade(rng, 15, 90)
    radius, thick = rng.uniform(0.24, 0.32), rng.uniform(0.07, 0.14)
    long = rng.uniform(0.0, 0.12)
    front = (0.5 + long, 0.0)
    for hub in ((-0.5, 0.0), front):
        pen.ring(hub, radius, thick, tyre)
        pen.disc(hub, radius * rng.uniform(0.25, 0.6), metal)
    pen.line([(-0.5, 0.0), (-0.02, 0.06), (0.3, 0.42)], 0.08, dark)
    pen.shape([(-0.22, -0.12), (0.2, -0.12), (0.27, 0.22), (-0.2, 0.24)], dark)
    pen.disc((0.02, 0.04), rng.uniform(0.08, 0.13), metal)
    pen.line([(0.12, -0.06), (-0.15, -0.12), (-0.72, -0.02 + rng.normal(0, 0.05))], rng.uniform(0.04, 0.08), metal)
    top = rng.uniform(0.36, 0.46)
    pen.line([(0.3, top + 0.06), front], rng.uniform(0.05, 0.09), metal)
    pen.shape([(-0.08, 0.24), (0.3, 0.28), (0.34, top), (0.12, top + 0.08), (-0.06, top - 0.04)], paint)
    tail = rng.uniform(0.3, 0.44)
    pen.shape([(-0.58, tail), (-0.05, 0.34), (-0.02, 0.22), (-0.5, 0.22)], paint if rng.random() < 0.5 else dark)
    pen.line([(-0.5, tail + 0.02), (-0.08, 0.36)], rng.uniform(0.06, 0.12), shade(rng, 10, 70))
    pen.line(_circle(front, radius + 0.07)[3:12], 0.05, paint)
    if rng.random() < 0.6:
        pen.line(_circle((-0.5, 0.0), radius + 0.07)[4:12], 0.05, paint)
    pen.line([(0.3, top), (0.27, top + rng.uniform(0.1, 0.22)), (0.18, top + 0.18)], 0.045, dark)
    if rng.random() < 0.45:  # a fairing and its screen
        pen.shape([(0.2, 0.2), (0.46, 0.2), (0.5, top + 0.06), (0.34, top + 0.2), (0.26, top)], paint)
        pen.line([(0.46, top + 0.08), (0.3, top + 0.26)], 0.03, metal)
    else:
        pen.disc((0.4, top + 0.05), 0.075, (235, 230, 200))
    if rng.random() < 0.22:
        _draw_rider(pen, rng, hip=(-0.2, 0.44), hands=(0.22, top + 0.16), feet=(-0.02, -0.05))


def _draw_rider(pen: _Pen, rng: np.random.Generator, *, hip: _Point, hands: _Point, feet: _Point) -> None:
    cloth, trousers = vivid(rng), shade(rng, 20, 120)
    shoulder = (hip[0] + rng.uniform(0.08, 0.26), hip[1] + rng.uniform(0.3, 0.38))
    pen.line([hip, (hip[0] + 0.24, hip[1] - 0.1), feet], 0.1, trousers)
    pen.line([hip, shoulder], 0.17, cloth)
    pen.line([shoulder, hands], 0.07, cloth)
    head = vivid(rng) if rng.random() < 0.6 else (200, 160, 130)
    pen.disc((shoulder[0] + 0.05, shoulder[1] + 0.14), 0.1, head)
