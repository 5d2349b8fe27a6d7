"""Tiles of large pictures, cut and pooled in the graph."""

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import PIL.Image
import pytest
from numpy.typing import NDArray
from onnx import parser

from scones.errors import TrainingError
from scones.task import View
from scones.training.backbone import Backbone, load_backbone
from scones.training.views import look


@pytest.fixture(scope="module")
def smooth() -> NDArray[np.uint8]:
    """Three pictures of 96x96 that change slowly."""
    small = np.random.default_rng(0).integers(0, 256, (3, 6, 6, 3), dtype=np.uint8)
    return np.stack([np.asarray(PIL.Image.fromarray(one).resize((96, 96))) for one in small])


def colour(opset: int = 20) -> Backbone:
    """The mean colour of a picture of 8x8: 3 numbers, 0 to 255."""
    model = parser.parse_model(f"""<ir_version: 9, opset_import: ["": {opset}]>
        colour (uint8[n, 8, 8, 3] images) => (float[n, 3] embedding) {{
            values = Cast <to = 1> (images)
            axes = Constant <value_ints = [1, 2]> ()
            embedding = ReduceMean <keepdims = 0> (values, axes)
        }}""")
    return Backbone("colour", bytes(model.SerializeToString()), 8)


def by_hand(backbone: Backbone, pictures: NDArray[np.uint8], view: View) -> NDArray[np.float32]:
    pools: dict[str, Callable[..., Any]] = {"mean": np.mean, "max": np.max}
    rows = []
    for picture in pictures:
        parts = []
        for grid in view.grids:
            side = backbone.size
            part = PIL.Image.fromarray(picture).crop(view.box())
            scaled = np.asarray(part.resize((grid * side, grid * side), PIL.Image.Resampling.BILINEAR))
            tiles = [
                scaled[y * side : (y + 1) * side, x * side : (x + 1) * side] for y in range(grid) for x in range(grid)
            ]
            embedded = backbone.embed(np.stack(tiles))
            parts += [pools[pool](embedded, axis=0) for pool in view.pool]
        rows.append(np.concatenate(parts))
    return np.stack(rows)


@pytest.mark.parametrize(
    "view",
    [
        View(size=96),
        View(size=96, grids=(1,), pool=("mean",)),
        View(size=96, grids=(3, 2), pool=("max",), crop=(0.25, 0.125, 1, 0.875)),
    ],
    ids=["as it comes", "the whole", "a part"],
)
def test_a_view_embeds_what_cutting_by_hand_gives(smooth: NDArray[np.uint8], view: View) -> None:
    seen = look(colour(), view)
    found = seen.embed(smooth)
    assert (seen.name, seen.size, found.shape) == ("colour", 96, (3, 3 * len(view.grids) * len(view.pool)))
    np.testing.assert_allclose(found, by_hand(colour(), smooth, view), atol=0.6)


def test_what_comes_with_scones_can_look_through_a_view(smooth: NDArray[np.uint8]) -> None:
    backbone = load_backbone("small")
    view = View(size=96, grids=(1, 2), pool=("mean", "max"))
    found = look(backbone, view).embed(smooth)
    np.testing.assert_allclose(found, by_hand(backbone, smooth, view), atol=0.25)


def test_the_pictures_of_a_batch_do_not_meet(smooth: NDArray[np.uint8]) -> None:
    seen = look(colour(), View(size=96))
    np.testing.assert_allclose(seen.embed(smooth)[2:], seen.embed(smooth[2:]), rtol=1e-6)


def test_without_a_view_the_backbone_stays_as_it_is() -> None:
    assert look(colour(), None) == colour()


def test_a_graph_that_is_too_old_says_so() -> None:
    old = onnx.helper.make_model(onnx.load_from_string(colour().model).graph, ir_version=8)
    old.opset_import[0].version = 13
    with pytest.raises(TrainingError, match=r"opset 13, but a task with a \[view\] needs 18"):
        look(Backbone("old", bytes(old.SerializeToString()), 8), View(size=96))
