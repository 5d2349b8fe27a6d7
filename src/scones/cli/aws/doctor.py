"""``scones aws doctor``."""

from __future__ import annotations

from dataclasses import asdict

from scones.cli._common import BucketOption, JsonOption, StoreOption, TaskOption, console, print_json
from scones.cli.aws._options import ProfileOption, RegionOption, StackOption
from scones.cli.aws._planning import SetOption, parse_sets

_COLOURS = {"ok": "green", "warn": "yellow", "fail": "bold red"}


def doctor(
    sets: SetOption = None,
    task: TaskOption = None,
    store: StoreOption = None,
    bucket: BucketOption = None,
    stack: StackOption = None,
    region: RegionOption = None,
    profile: ProfileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Check whether a deployment can work, and say how to put right what is wrong. It changes nothing.

    Credentials, clock, region, permissions, stacks, quotas, names of buckets, the container, the model.
    """
    from datetime import UTC, datetime

    from rich.text import Text

    from scones.aws.account import connect
    from scones.aws.doctor import examine
    from scones.errors import AwsAccess, AwsError
    from scones.settings import Settings

    settings = Settings.load(stack=stack, task=task, store=store, bucket=bucket)
    account = connect(region, profile)
    checks = []
    for check in examine(account, settings, parse_sets(sets or []), lambda: datetime.now(UTC)):
        checks.append(check)
        if not as_json:
            line = Text.assemble((f"{check.state:<5}", _COLOURS[check.state]), (check.name, "bold"), f": {check.says}")
            console().print(line, soft_wrap=True)
            if check.fix:
                console().print(f"      → {check.fix}", markup=False, soft_wrap=True)
    if as_json:
        print_json([asdict(check) for check in checks])
    failed = [check for check in checks if check.state == "fail"]
    if failed:
        kind = AwsAccess if failed[0].name in ("credentials", "permissions") else AwsError
        raise kind(f"{len(failed)} of {len(checks)} checks failed; the first, {failed[0].name}: {failed[0].says}")
    if not as_json:
        console().print("nothing stands in the way: `scones aws plan` shows what a deployment would do", soft_wrap=True)
