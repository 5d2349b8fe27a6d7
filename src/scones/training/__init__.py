"""Train, calibrate and evaluate: from a staged dataset to a model bundle that knows how sure it is.

The names are loaded on first use; each brings only what it needs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from scones._lazy import lazily

_HOMES = {
    "Backbone": "scones.training.backbone",
    "backbone_names": "scones.training.backbone",
    "evaluate": "scones.training.evaluation",
    "load_backbone": "scones.training.backbone",
    "pretrain": "scones.training.pretraining",
    "save_evaluation": "scones.training.evaluation",
    "train": "scones.training.trainer",
}

__all__ = ["Backbone", "backbone_names", "evaluate", "load_backbone", "pretrain", "save_evaluation", "train"]

if TYPE_CHECKING:
    from scones.training.backbone import Backbone, backbone_names, load_backbone
    from scones.training.evaluation import evaluate, save_evaluation
    from scones.training.pretraining import pretrain
    from scones.training.trainer import train


__getattr__ = lazily(__name__, _HOMES)
