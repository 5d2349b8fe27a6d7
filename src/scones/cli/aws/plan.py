"""``scones aws plan``."""

from __future__ import annotations

from scones.cli._common import BucketOption, JsonOption, StoreOption, TaskOption, console, print_json
from scones.cli.aws._options import ProfileOption, RegionOption, StackOption, open_account
from scones.cli.aws._planning import PicturesOption, SetOption, open_cargo, plan_as_json, price, show_plan
from scones.cli.aws._telling import telling


def plan(
    sets: SetOption = None,
    pictures_per_day: PicturesOption = 1000,
    task: TaskOption = None,
    store: StoreOption = None,
    bucket: BucketOption = None,
    stack: StackOption = None,
    region: RegionOption = None,
    profile: ProfileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what a deployment would make, change and remove, and what the application would cost.

    The packages are built here, as their content names them; nothing is uploaded, and nothing stays behind.
    """
    from scones.aws.plan import planned
    from scones.settings import Settings

    settings = Settings.load(stack=stack, task=task, store=store, bucket=bucket)
    account, names = open_account(stack, region, profile)
    with telling(as_json) as (tell, display):
        cargo = open_cargo(account, names, settings, sets or [], with_dataset=False, progress=tell.progress)
        with planned(account, names, cargo, tell=tell) as found:
            cost = price(account, found, pictures_per_day)
            display.stop()
            if as_json:
                print_json({"account": account.id, "region": account.region, **plan_as_json(found, cost)})
            else:
                show_plan(found, cost)
    if not as_json and not found.empty:
        console().print("nothing was changed; `scones aws deploy` with the same options does it", soft_wrap=True)
