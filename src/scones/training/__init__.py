"""Train, calibrate and evaluate: from a staged dataset to a model bundle that knows how sure it is.

The names are loaded on first use; each brings only what it needs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from scones._lazy import lazily

_HOMES = {
    "Backbone": "scones.training.backbone",
    "FineTuning": "scones.training.finetuning",
    "Job": "scones.training.job",
    "backbone_names": "scones.training.backbone",
    "compare": "scones.training.comparison",
    "cross_validate": "scones.training.crossvalidation",
    "evaluate": "scones.training.evaluation",
    "load_backbone": "scones.training.backbone",
    "pretrain": "scones.training.pretraining",
    "run_job": "scones.training.job",
    "save_comparison": "scones.training.comparison",
    "save_curve": "scones.training.learning",
    "save_evaluation": "scones.training.evaluation",
    "train": "scones.training.trainer",
}

__all__ = [
    "Backbone",
    "FineTuning",
    "Job",
    "backbone_names",
    "compare",
    "cross_validate",
    "evaluate",
    "load_backbone",
    "pretrain",
    "run_job",
    "save_comparison",
    "save_curve",
    "save_evaluation",
    "train",
]

if TYPE_CHECKING:
    from scones.training.backbone import Backbone, backbone_names, load_backbone
    from scones.training.comparison import compare, save_comparison
    from scones.training.crossvalidation import cross_validate
    from scones.training.evaluation import evaluate, save_evaluation
    from scones.training.finetuning import FineTuning
    from scones.training.job import Job, run_job
    from scones.training.learning import save_curve
    from scones.training.pretraining import pretrain
    from scones.training.trainer import train


if not TYPE_CHECKING:  # else every name that is asked for would be right
    __getattr__ = lazily(__name__, _HOMES)
