"""``scones rollback``."""

from __future__ import annotations

from typing import Annotated

import typer

from scones.cli._common import (
    BucketOption,
    JsonOption,
    StoreOption,
    TaskOption,
    WhoOption,
    console,
    print_json,
    whoami,
)


def rollback(
    to: Annotated[
        str | None,
        typer.Option(metavar="VERSION", help="Any model that was in production  [the one before the present]"),
    ] = None,
    why: Annotated[str, typer.Option(metavar="TEXT", help="For the record")] = "went back",
    who: WhoOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say where it would go")] = False,
    task: TaskOption = None,
    store: StoreOption = None,
    bucket: BucketOption = None,
    as_json: JsonOption = False,
) -> None:
    """Go back to the model that was in production before, with the threshold that it had then.

    Twice goes back by two: a rollback never returns to the model that it left. To undo one, or to go
    further in one step, name the model: `--to VERSION`. No gate is asked, since the model was in
    production before; but it must be whole, or nothing changes.

    A running endpoint follows within seconds, without a request lost.

    What was in production when: `scones models --history`.
    """
    from datetime import UTC, datetime

    from scones.registry import find_rollback, roll_back
    from scones.settings import Settings
    from scones.store import open_bucket
    from scones.task import load_task

    settings = Settings.load(task=task, store=store, bucket=bucket)
    name = load_task(settings.task).name
    place = open_bucket(settings.store, settings.bucket)
    found = find_rollback(place, name, to)
    number = None if dry_run else roll_back(place, found, who=who or whoami(), why=why, now=datetime.now(UTC))
    if as_json:
        print_json({
            "task": name,
            "left": found.leaves,
            "version": found.policy.version,
            "threshold": found.policy.threshold,
            "restores": found.restores,
            "rolled_back": number is not None,
            "dry_run": dry_run,
        })  # fmt: skip
        return
    err = console()
    if found.is_there:
        err.print(f"model {found.policy.version} is in production of task {name} already: nothing to do")
        return
    err.print(
        f"model [bold]{found.policy.version}[/] {'would be' if dry_run else 'is'} in production of task {name} again, "
        f"as from {found.policy.at} (record {found.restores}), in place of {found.leaves or 'a damaged record'}; "
        "endpoints that run follow within seconds",
        soft_wrap=True,
    )
