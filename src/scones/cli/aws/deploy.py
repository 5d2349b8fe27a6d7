"""``scones aws deploy``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from scones.cli._common import BucketOption, JsonOption, StoreOption, TaskOption, console, print_json, results
from scones.cli.aws._options import ProfileOption, RegionOption, StackOption, open_account
from scones.cli.aws._planning import DatasetOption, PicturesOption, SetOption, open_cargo, price, show_plan
from scones.cli.aws._telling import telling
from scones.cli.aws.plan import plan

if TYPE_CHECKING:
    from scones.aws.deploy import Deployment
    from scones.aws.plan import Plan


def deploy(
    sets: SetOption = None,
    with_dataset: DatasetOption = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show the plan, as `scones aws plan`")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask")] = False,
    pictures_per_day: PicturesOption = 1000,
    task: TaskOption = None,
    store: StoreOption = None,
    bucket: BucketOption = None,
    stack: StackOption = None,
    region: RegionOption = None,
    profile: ProfileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take the application to AWS, with the model in production, or bring what is there up to date.

    It shows the plan and asks, then makes the stack that must be there first, uploads, has the container built, and
    makes or changes the application's stack. What fails is rolled back, and the first real cause is told; run it again
    after a failure, or after it was killed: it goes by what there is. A second time it finds nothing to change.
    """
    from scones.aws.deploy import deploy as take_there
    from scones.errors import SettingsError
    from scones.settings import Settings

    if dry_run:
        plan(sets, pictures_per_day, task, store, bucket, stack, region, profile, as_json)
        return
    if as_json and not yes:
        raise SettingsError("--json asks nobody: add --yes to deploy, or --dry-run for the plan")
    settings = Settings.load(stack=stack, task=task, store=store, bucket=bucket)
    account, names = open_account(stack, region, profile)
    err = console()
    with telling(as_json) as (tell, display):
        cargo = open_cargo(account, names, settings, sets or [], with_dataset=with_dataset, progress=tell.progress)

        def agree(found: Plan) -> bool:
            if yes and as_json:
                return True
            cost = price(account, found, pictures_per_day)
            display.stop()
            show_plan(found, cost)
            agreed = yes or typer.confirm(f"Do this in account {account.id}, {account.region}?", err=True)
            display.start()
            return agreed

        try:
            done = take_there(account, names, cargo, agree=agree, tell=tell)
        except KeyboardInterrupt:
            err.print("stopped here; what AWS has begun goes on: `scones aws status` shows it", soft_wrap=True)
            raise
    if done is None:
        err.print("nothing was changed")
        raise typer.Exit(1)
    if as_json:
        print_json({
            "stack": done.app.name,
            "status": done.app.status,
            "changed": done.changed,
            "outputs": dict(done.app.outputs),
        })  # fmt: skip
    else:
        _show(done)


def _show(done: Deployment) -> None:
    from rich.table import Table
    from rich.text import Text

    err = console()
    err.print(f"{' and '.join(done.changed)}: done" if done.changed else "nothing to change")
    table = Table("output", "value", "what it is", box=None, pad_edge=False)
    for name, value in done.app.outputs.items():
        table.add_row(name, Text(value), Text(done.app.descriptions.get(name, ""), style="dim"))
    results().print(table)
    if email := done.app.parameters.get("AlertEmail"):
        err.print(f"{email} gets alarms once it has confirmed the message that AWS sent there", soft_wrap=True)
    err.print(
        "next: `scones aws invoke PICTURE` sends a picture through, `scones aws status` shows how it is; "
        "it costs money until `scones aws destroy`",
        soft_wrap=True,
    )
