"""``scones aws destroy``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from scones.cli._common import JsonOption, console, print_json, results
from scones.cli.aws._options import ProfileOption, RegionOption, StackOption, open_account

if TYPE_CHECKING:
    from scones.aws.account import Account
    from scones.aws.inventory import Found


def destroy(
    stack: StackOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only list what would go")] = False,
    keep_data: Annotated[
        bool, typer.Option("--keep-data", help="Keep the application's bucket: pictures, records, capture")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask for the stack's name")] = False,
    region: RegionOption = None,
    profile: ProfileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take the application away for good: stacks, buckets with all versions, images, logs, training jobs.

    It looks by tag and by name for all that belongs to the stack, before and after, and ends with `0 left`, or with
    what is left and why. Run it again after a failure: it goes by what there is.
    """
    from scones.aws.destroy import destroy as take_away
    from scones.aws.inventory import take_inventory
    from scones.errors import LeftBehind
    from scones.page.numbers import plural

    account, names = open_account(stack, region, profile)
    err = console()
    before = take_inventory(account, names)
    kept = [one for one in before if keep_data and one.kind == "bucket" and one.name == names.bucket]
    if not as_json:
        _show(before, "what would go" if dry_run else "what goes", "holds", _holds(account, before, kept))
    left: list[Found] = []
    if before and not dry_run:
        if not yes and typer.prompt(f"Type {names.stack} to remove all of this for good", err=True) != names.stack:
            err.print("that is not its name: nothing was removed")
            raise typer.Exit(1)
        left = take_away(
            account,
            names,
            keep_data=keep_data,
            report=lambda what: None if as_json else err.print(what, markup=False, soft_wrap=True),
        )
    if as_json:
        found = {"found": before, "kept": kept, "left": None if dry_run else left}
        listed = {name: some if some is None else list(map(asdict, some)) for name, some in found.items()}
        print_json({"stack": names.stack, "dry_run": dry_run, **listed})
    elif not before:
        err.print(f"nothing of stack {names.stack} is there")
    elif not dry_run:
        for one in kept:
            err.print(f"kept: {one.kind} {one.name}; what its life-cycle rules say goes on")
        if left:
            _show(left, "what is left", "why", [one.why for one in left])
        else:
            err.print("0 left")
    if left:
        raise LeftBehind(
            f"{plural(len(left), 'thing')} of stack {names.stack} left, or not to be looked at, as "
            f"{left[0].kind} {left[0].name}".rstrip()
            + f": {left[0].why}; see to it, then run `scones aws destroy` again"
        )


def _holds(account: Account, before: Sequence[Found], kept: Sequence[Found]) -> list[str]:
    """For people: what is in each, or why it could not be looked at."""
    from scones.aws.inventory import contents
    from scones.errors import AwsError

    held = []
    for one in before:
        try:
            text = one.why or contents(account, one)
        except AwsError as error:
            text = str(error)
        held.append(f"{text}; is kept" if one in kept else text)
    return held


def _show(found: Sequence[Found], title: str, column: str, texts: Sequence[str]) -> None:
    from rich.table import Column, Table

    if not found:
        return
    table = Table("kind", Column("name", overflow="fold"), "found by", Column(column, overflow="fold"), title=title)
    for one, text in zip(found, texts, strict=True):
        table.add_row(one.kind, one.name or "?", one.how or "could not look", text)
    results().print(table, markup=False)
