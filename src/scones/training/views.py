"""Look at pictures that are larger than what a backbone takes: tile by tile, at several scales, all in the graph."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import onnx
from onnx import compose, parser

from scones.errors import TrainingError
from scones.task import View
from scones.training.backbone import Backbone

__all__ = ["look"]

_LEAST_OPSET = 18  # Resize learned to antialias then
_POOLS = {"mean": "ReduceMean", "max": "ReduceMax"}


def look(backbone: Backbone, view: View | None) -> Backbone:
    """Put a view in front of a backbone: the result is a backbone of larger pictures.

    Each grid of the view scales the part of the picture that counts to ``grid`` times the backbone's side,
    cuts it into ``grid`` x ``grid`` tiles and embeds each. Then the tiles of a grid are pooled, and the grids
    stand side by side (a spatial pyramid, Lazebnik et al. 2006, pooled over each level).

    Args:
        backbone: with D numbers an embedding.
        view: None: the backbone as it is.

    Returns:
        A backbone of the same name, of side ``view.size``, with ``len(view.grids) * len(view.pool) * D``
        numbers an embedding.

    Raises:
        TrainingError: the backbone's graph is too old for it.
    """
    if view is None:
        return backbone
    network = compose.add_prefix(onnx.load_from_string(backbone.model), "tile/")
    opset = next(entry.version for entry in network.opset_import if entry.domain in ("", "ai.onnx"))
    if opset < _LEAST_OPSET:
        raise TrainingError(
            f"backbone {backbone.name} is written in ONNX's opset {opset}, but a task with a [view] needs "
            f"{_LEAST_OPSET} or later: take another backbone, or export it anew"
        )
    width = backbone.embed(np.zeros((1, backbone.size, backbone.size, 3), np.uint8)).shape[1]
    head = f'<ir_version: {network.ir_version}, opset_import: ["": {opset}]>'
    front = compose.add_prefix(_graph(head, _cut(view, backbone.size)), "view/", rename_inputs=False)
    back = compose.add_prefix(_graph(head, _pool(view, width)), "pool/", rename_outputs=False)
    tiles, embedding = network.graph.input[0].name, network.graph.output[0].name
    model = compose.merge_models(front, network, io_map=[("view/tiles", tiles)])
    model = compose.merge_models(model, back, io_map=[(embedding, "pool/each")])
    onnx.checker.check_model(model)
    return Backbone(backbone.name, bytes(model.SerializeToString()), view.size, sum(grid**2 for grid in view.grids))


def _graph(head: str, lines: Iterable[str]) -> onnx.ModelProto:
    return parser.parse_model("\n".join([head, *lines]))


def _cut(view: View, side: int) -> Iterable[str]:
    """From pictures to their tiles: those of a picture one after the other, grid by grid."""
    left, top, right, bottom = view.box()
    yield f"view (uint8[n, {view.size}, {view.size}, 3] images) => (uint8[t, {side}, {side}, 3] tiles) {{"
    yield f"starts = Constant <value_ints = [{top}, {left}]> ()"
    yield f"ends = Constant <value_ints = [{bottom}, {right}]> ()"
    yield "axes = Constant <value_ints = [1, 2]> ()"
    yield "part = Slice (images, starts, ends, axes)"
    yield "values = Cast <to = 1> (part)"
    yield "planes = Transpose <perm = [0, 3, 1, 2]> (values)"
    for grid in view.grids:
        yield f"sizes{grid} = Constant <value_ints = [{grid * side}, {grid * side}]> ()"
        yield f'scaled{grid} = Resize <mode = "linear", antialias = 1, axes = [2, 3]> (planes, , , sizes{grid})'
        yield f"split{grid} = Constant <value_ints = [0, 3, {grid}, {side}, {grid}, {side}]> ()"
        yield f"apart{grid} = Reshape (scaled{grid}, split{grid})"
        yield f"ordered{grid} = Transpose <perm = [0, 2, 4, 3, 5, 1]> (apart{grid})"
        yield f"shape{grid} = Constant <value_ints = [0, {grid * grid}, {side}, {side}, 3]> ()"
        yield f"tiles{grid} = Reshape (ordered{grid}, shape{grid})"
    yield f"all = Concat <axis = 1> ({', '.join(f'tiles{grid}' for grid in view.grids)})"
    yield f"shape = Constant <value_ints = [-1, {side}, {side}, 3]> ()"
    yield "flat = Reshape (all, shape)"
    yield "whole = Round (flat)"
    yield "tiles = Cast <to = 2> (whole)"
    yield "}"


def _pool(view: View, width: int) -> Iterable[str]:
    """From the tiles' embeddings to one of each picture."""
    counts = [grid * grid for grid in view.grids]
    parts = [f"{pool}{grid}" for grid in view.grids for pool in view.pool]
    yield f"pool (float[t, {width}] each) => (float[n, {len(parts) * width}] embedding) {{"
    yield f"shape = Constant <value_ints = [-1, {sum(counts)}, {width}]> ()"
    yield "rows = Reshape (each, shape)"
    yield f"counts = Constant <value_ints = {counts}> ()"
    yield f"{', '.join(f'grid{grid}' for grid in view.grids)} = Split <axis = 1> (rows, counts)"
    yield "axes = Constant <value_ints = [1]> ()"
    for grid in view.grids:
        for pool in view.pool:
            yield f"{pool}{grid} = {_POOLS[pool]} <keepdims = 0> (grid{grid}, axes)"
    yield f"embedding = Concat <axis = 1> ({', '.join(parts)})"
    yield "}"
