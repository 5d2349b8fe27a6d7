"""``scones pretrain``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from scones.cli._common import JsonOption, console, print_json


def pretrain(
    out: Annotated[Path, typer.Option(metavar="FILE", help="The ONNX file to write")],
    archive: Annotated[
        Path | None, typer.Option(metavar="FILE", help="cifar-100-python.tar.gz  [SCONES_CIFAR100]")
    ] = None,
    network: Annotated[str, typer.Option(metavar="NAME", help="small or nano")] = "small",
    teacher: Annotated[
        list[str] | None,
        typer.Option(metavar="BACKBONE", help="Learn from what this backbone thinks of the pictures, too; repeatable"),
    ] = None,
    start: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Start from the weights of an earlier run's checkpoint, *.ckpt")
    ] = None,
    epochs: Annotated[int, typer.Option(min=1, help="Passes over the training pictures")] = 64,
    seed: Annotated[int, typer.Option(min=0, help="Of weights, order and augmentation")] = 0,
    as_json: JsonOption = False,
) -> None:
    """Train a backbone on CIFAR-100 (needs the `train` extra; on two cores an hour or two, on a GPU minutes).

    Calibration and test pictures are left out. A killed run goes on from its last checkpoint, which lies
    beside the output; the learning curve lies there too.
    """
    from scones.errors import SourceMissing
    from scones.settings import Settings
    from scones.training.trainable import needs_torch

    try:
        from scones.training import load_backbone
        from scones.training import pretrain as train_backbone
    except ImportError as error:
        raise needs_torch("pretraining", error) from error
    path = Settings.load(cifar100=archive).cifar100
    if path is None:
        raise SourceMissing("pretraining needs CIFAR-100: give its path with --archive or SCONES_CIFAR100")
    err = console()
    err.print(f"training {network} on {path}; {epochs} epochs")
    figures = train_backbone(
        path,
        out,
        network=network,
        epochs=epochs,
        teachers=[load_backbone(name) for name in teacher or ()],
        start=start,
        seed=seed,
        report=err.print,
    )
    if as_json:
        print_json(figures)
    else:
        err.print(figures)
        typer.echo(out)
