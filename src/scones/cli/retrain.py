"""``scones retrain``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from scones.cli._common import (
    BucketOption,
    EndpointOption,
    JsonOption,
    StoreOption,
    TaskOption,
    WhoOption,
    console,
    print_json,
    progress_report,
    results,
    whoami,
)

if TYPE_CHECKING:
    from rich.table import Table

    from scones.retraining import Retrained


def retrain(
    promote: Annotated[bool, typer.Option("--promote", help="Put it in production, if the verdict says so")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what there is to learn from")] = False,
    endpoint: EndpointOption = None,
    task: TaskOption = None,
    who: WhoOption = None,
    store: StoreOption = None,
    bucket: BucketOption = None,
    as_json: JsonOption = False,
) -> None:
    """Learn from what people said of captured pictures, and say whether to promote the new model.

    The pictures that were judged (`scones monitor audit`, `scones monitor answer`) and the examples of the workflow's
    reviews join the dataset of the model in production, as a new version. Two judged pictures in five are held back.
    Where the judged ones look as if another camera had taken them, the old ones are learned from a second time, as that
    camera would have taken them. The new model has the same backbone and seed, and is measured beside production on the
    old test pictures and on those held back. It becomes the candidate; with `--promote` it goes into production where
    it does better on the new pictures and no gate of `scones promote` refuses it on the old ones.
    """
    from datetime import UTC, datetime

    from scones.registry import promote as put_in_production
    from scones.retraining import judged_pictures
    from scones.retraining import retrain as learn
    from scones.settings import Settings
    from scones.store import open_bucket
    from scones.task import load_task
    from scones.training import save_evaluation

    settings = Settings.load(task=task, store=store, bucket=bucket, endpoint=endpoint)
    chosen = load_task(settings.task)
    place, now = open_bucket(settings.store, settings.bucket), datetime.now(UTC)
    if dry_run:
        judged = judged_pictures(place, settings.endpoint, chosen.name, chosen.labels)
        held = sum(one.held for one in judged)
        if as_json:
            print_json({"judged": len(judged), "held": held, "dry_run": True})
        else:
            console().print(f"{len(judged)} pictures were judged; {held} of them would be held back to measure with")
        return
    with progress_report(as_json) as report:
        found = learn(
            place, chosen, settings.endpoint, who=who or whoami(), now=now, report=report,
            open_other=lambda name: open_bucket(settings.store, name, make=False),
        )  # fmt: skip
    considered, number = found.considered, None
    if considered is not None and considered.evaluation is not None and considered.dataset is not None:
        save_evaluation(place, considered.evaluation, considered.dataset)
    if promote and considered is not None and found.verdict == "promote":
        why = f"retrained: {found.reasons[0]}"
        number = put_in_production(place, considered, who=who or whoami(), why=why, now=datetime.now(UTC))
    if as_json:
        print_json({**found.to_json(), "promoted": number is not None, "dry_run": False})
        return
    err = console()
    if found.info is not None:
        err.print(
            f"model [bold]{found.info.version}[/] learned from dataset {found.dataset}, which has {found.learned} of "
            f"{found.judged} judged pictures more",
            soft_wrap=True,
        )
        if camera := found.info.parameters.get("camera"):
            err.print(
                f"the judged pictures look as another camera's: light by {_mean(camera['gain'])} and "
                f"{_mean(camera['offset'], '+')} of 255, blurred by {camera['blur']:.2g} pixels, noise of "
                f"{_mean(camera['noise'])}; the old ones were learned from a second time as it would have taken them",
                soft_wrap=True,
            )
        results().print(_table(found))
    colour = {"promote": "green", "do not promote": "red"}.get(found.verdict, "yellow")
    err.print(f"[{colour}]{found.verdict}[/]: {'; '.join(found.reasons)}", soft_wrap=True)
    if number is not None:
        err.print("it is in production now; endpoints that follow it switch within seconds")
    elif found.verdict == "promote":
        err.print("next: scones promote")


def _mean(values: list[float], sign: str = "") -> str:
    return f"{sum(values) / len(values):{sign}.2g}"


def _table(found: Retrained) -> Table:
    from rich.markup import escape
    from rich.table import Column, Table

    table = Table("measured on", "pictures", "production", "candidate", Column("difference", overflow="fold"))
    for gate in found.considered.gates if found.considered else ():
        if gate.name == "not worse" and "difference" in gate.figures:
            of = gate.figures
            before, after, more = of["production_accuracy"], of["accuracy"], 100 * of["difference"]
            table.add_row("old test pictures", str(of["n"]), f"{before:.1%}", f"{after:.1%}", f"{more:+.1f} points")
        elif gate.verdict != "passed":
            table.add_row(gate.name, "", "", gate.verdict, escape(gate.says))
    if (new := found.on_new) is not None:
        before, after, more = new.production, new.candidate, 100 * new.difference
        table.add_row("new pictures", str(new.pictures), f"{before:.1%}", f"{after:.1%}", f"{more:+.1f} points")
    return table
