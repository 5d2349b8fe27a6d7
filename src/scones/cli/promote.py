"""``scones promote``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from scones.cli._common import (
    BucketOption,
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
    from scones.registry import Gate


def promote(
    model: Annotated[
        str, typer.Argument(metavar="[MODEL]", help="A version, or an alias", show_default=True)
    ] = "candidate",
    force: Annotated[bool, typer.Option("--force", help="Although gates refuse it; needs --why")] = False,
    why: Annotated[str | None, typer.Option(metavar="TEXT", help="For the record  [the gates let it pass]")] = None,
    who: WhoOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would happen")] = False,
    task: TaskOption = None,
    store: StoreOption = None,
    bucket: BucketOption = None,
    as_json: JsonOption = False,
) -> None:
    """Put a model in production, if the gates let it pass.

    It is measured beside the model in production on the same test pictures, and refused when it is
    significantly worse, is not calibrated, breaks the task's target risk at its threshold, promises no
    risk where production does, or answers another question. Each gate says why, with its figures; its
    limits stand in the task's file under `[gates]`.

    A running endpoint follows within seconds, without a request lost.

    Back again: `scones rollback`.
    """
    from dataclasses import asdict
    from datetime import UTC, datetime

    from scones.errors import SettingsError
    from scones.registry import consider
    from scones.registry import promote as put_in_production
    from scones.settings import Settings
    from scones.store import open_bucket
    from scones.task import load_task
    from scones.training import save_evaluation

    if force and not (why or "").strip():
        raise SettingsError("--force overrides the gates: say why with --why TEXT, it goes on record")
    settings = Settings.load(task=task, store=store, bucket=bucket)
    chosen = load_task(settings.task)
    place = open_bucket(settings.store, settings.bucket)
    err = console()
    with progress_report(as_json) as report:
        found = consider(place, chosen, model, report=report)
    if found.evaluation is not None and found.dataset is not None and not dry_run:
        save_evaluation(place, found.evaluation, found.dataset)
    goes = force or not found.refused
    number = None
    if goes and not dry_run:
        number = put_in_production(
            place, found, who=who or whoami(), why=why or "the gates let it pass", now=datetime.now(UTC), force=force
        )
    if as_json:
        print_json({
            "task": found.task,
            "version": found.version,
            "before": found.production,
            "production": found.version if number else found.production,
            "promoted": number is not None,
            "forced": number is not None and bool(found.refused),
            "dry_run": dry_run,
            "gates": [asdict(gate) for gate in found.gates],
        })  # fmt: skip
    else:
        _show(found.gates)
        if found.is_there:
            err.print(f"model {found.version} is in production of task {found.task} already: nothing to do")
        elif goes:
            was = f"in place of {found.production}" if found.production else "as the first"
            err.print(
                f"model [bold]{found.version}[/] {'would be' if dry_run else 'is'} in production of task {found.task}, "
                f"{was}; endpoints that run follow within seconds",
                soft_wrap=True,
            )
    if not goes:
        found.check()


def _show(gates: Sequence[Gate]) -> None:
    from rich.markup import escape
    from rich.table import Column, Table

    if not gates:
        return
    colours = {"passed": "green", "warning": "yellow", "refused": "red"}
    table = Table("gate", "verdict", Column("why", overflow="fold"))
    for gate in gates:
        table.add_row(gate.name, f"[{colours[gate.verdict]}]{gate.verdict}[/]", escape(gate.says))
    results().print(table)
