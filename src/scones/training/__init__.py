"""Train, calibrate and evaluate: from a staged dataset to a model bundle that knows how sure it is.

The names are loaded on first use; each brings only what it needs.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

_HOMES = {
    "Backbone": "backbone",
    "backbone_names": "backbone",
    "evaluate": "evaluation",
    "load_backbone": "backbone",
    "pretrain": "pretraining",
    "save_evaluation": "evaluation",
    "train": "trainer",
}

__all__ = ["Backbone", "backbone_names", "evaluate", "load_backbone", "pretrain", "save_evaluation", "train"]

if TYPE_CHECKING:
    from scones.training.backbone import Backbone, backbone_names, load_backbone
    from scones.training.evaluation import evaluate, save_evaluation
    from scones.training.pretraining import pretrain
    from scones.training.trainer import train


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
