"""``scones models``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from scones.cli._common import BucketOption, JsonOption, StoreOption, TaskOption, print_json, results, whoami

if TYPE_CHECKING:
    from scones.registry.aliases import Record
    from scones.registry.models import ListedModel
    from scones.store import Bucket


def models(
    history: Annotated[
        bool, typer.Option("--history", help="Which model the aliases named when, by whom and why")
    ] = False,
    add: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Take in a model.tar.gz that was trained elsewhere, as the candidate"),
    ] = None,
    task: TaskOption = None,
    store: StoreOption = None,
    bucket: BucketOption = None,
    as_json: JsonOption = False,
) -> None:
    """List a task's models: how good each is, what it was made from, and which one is in production.

    Accuracy and calibration error are those of the test pictures, as `scones evaluate` measured them;
    `--json` says all that is known of each model, with its parameters and the source of its pictures.

    With `--add`, a model of a SageMaker training job, or of another store, takes its place beside the others; then
    `scones evaluate` and `scones promote` as always.

    Aliases: **production** is what `scones serve` serves, **candidate** what was trained last and what
    `scones promote` judges.
    """
    from scones.registry import history as records_of
    from scones.registry import list_models
    from scones.registry.aliases import ALIASES
    from scones.settings import Settings
    from scones.store import open_bucket
    from scones.task import load_task

    settings = Settings.load(task=task, store=store, bucket=bucket)
    name = load_task(settings.task).name
    place = open_bucket(settings.store, settings.bucket)
    if add is not None:
        _add(add, name, place)
    if history:
        records = {alias: records_of(place, name, alias) for alias in ALIASES}
        if as_json:
            print_json({alias: list(map(_record_json, found)) for alias, found in records.items()})
        else:
            _show_history(name, records)
        return
    found = list_models(place, name)
    if as_json:
        print_json(list(map(_model_json, found)))
    else:
        _list(name, found)


def _add(path: Path, task: str, bucket: Bucket) -> None:
    from datetime import UTC, datetime

    from scones.bundle import load_bundle
    from scones.classifier import Classifier
    from scones.errors import BundleError
    from scones.registry import register

    info, model = load_bundle(path)
    Classifier(info, model)  # what cannot answer is told now, and not taken in
    if info.task != task:
        raise BundleError(f"{path} is a model of task {info.task}, not of {task}: say --task {info.task}")
    register(bucket, info, model, who=whoami(), now=datetime.now(UTC), why=f"taken in from {path.name}")


def _list(task: str, found: Sequence[ListedModel]) -> None:
    from rich.markup import escape
    from rich.table import Column, Table

    table = Table(
        "model", "alias", "trained (UTC)", Column("accuracy", justify="right"),
        Column("calibration error (by luck)", justify="right"), "threshold", "backbone", "dataset", "parent",
        title=f"models of task {task}", title_justify="left",
    )  # fmt: skip
    for model in found:
        aliases = "".join(f"[bold]{alias}[/] " for alias in model.aliases).strip()
        if model.info is None:
            table.add_row(model.version, aliases, f"[red]{escape(model.fault)}[/]")
            continue
        accuracy, calibration = "not evaluated", ""
        if measured := model.evaluation:
            low, high = measured["accuracy_interval"]
            other = measured["dataset"]["version"]
            of = "pictures" if other == model.info.dataset else f"pictures of {other}"
            accuracy = f"{measured['accuracy']:.1%} ({low:.1%} to {high:.1%}, {measured['n']:,} {of})"
            calibration = f"{measured['ece']:.3f} ({measured['ece_null']:.3f})"
        info = model.info
        table.add_row(
            info.version, aliases, info.trained_at.replace("T", " ").removesuffix("+00:00"), accuracy, calibration,
            f"{info.threshold.value:.4f} {info.threshold.origin}", info.backbone, info.dataset, info.parent or "",
        )  # fmt: skip
    results().print(table)


def _show_history(task: str, records: Mapping[str, Sequence[Record]]) -> None:
    from rich.markup import escape
    from rich.table import Column, Table

    for alias, found in records.items():
        table = Table(
            Column("record", justify="right"), "at", "model", "who", Column("why", overflow="fold"),
            title=f"{alias} of task {task}", title_justify="left",
        )  # fmt: skip
        for record in found:
            policy = record.policy
            if policy is None:
                table.add_row(str(record.number), "", "", "", f"[red]damaged: {escape(record.fault)}[/]")
                continue
            why = escape(policy.why)
            if policy.threshold is not None:
                why = f"threshold {policy.threshold:.4f}: {why}"
            if policy.restores is not None:
                why = f"[yellow]back to record {policy.restores}[/]: {why}"
            if policy.forced:
                why = f"[red]forced[/]: {why}"
            table.add_row(str(record.number), policy.at, policy.version, escape(policy.who), why)
        results().print(table)


def _record_json(record: Record) -> dict[str, Any]:
    policy = record.policy.model_dump(mode="json") if record.policy else {"fault": record.fault}
    return {"number": record.number, **policy}


def _model_json(model: ListedModel) -> dict[str, Any]:
    figures = ("n", "accuracy", "accuracy_interval", "ece", "ece_null", "at_threshold", "dataset")
    measured = model.evaluation
    return {
        "version": model.version,
        "aliases": model.aliases,
        "evaluation": {name: measured.get(name) for name in figures} if measured else None,
        **(model.info.model_dump(mode="json") if model.info else {"fault": model.fault}),
    }
