"""What a person is told of a model that was just trained and registered."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scones.cli._common import console

if TYPE_CHECKING:
    from scones.registry.models import Registered

__all__ = ["tell_trained"]


def tell_trained(saved: Registered, same: str) -> None:
    """Tell how good it is, what it promises, where it stands, and what comes next.

    Args:
        saved: what became of it.
        same: the options that the next commands need too, as :func:`scones.cli._common.repeated` gives them.
    """
    err, info = console(), saved.info
    err.print(
        f"model [bold]{info.version}[/] of task {info.task}, from dataset {info.dataset}, backbone {info.backbone}"
    )
    metrics = info.metrics
    err.print(
        f"accuracy on {metrics['calibration_pictures']} calibration pictures: {metrics['calibration_accuracy']:.1%}; "
        f"temperature {info.temperature:.2f}"
    )
    colour = "green" if info.threshold.origin == "fitted" else "yellow"
    err.print(f"[{colour}]threshold {info.threshold.value:.4f} ({info.threshold.origin})[/]: {info.threshold.note}")
    if saved.in_production:
        state, onward = "in production, as the task's first model", "serve"
    else:
        state, onward = "the candidate now, production stays as it is", "promote"
    err.print(f"{state}; next: scones evaluate{same}, then scones {onward}{same}", soft_wrap=True, markup=False)
