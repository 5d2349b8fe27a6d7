"""``scones aws stance``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from scones.cli._common import JsonOption, console, print_json, results
from scones.cli.aws._options import ProfileOption, RegionOption, StackOption, open_account
from scones.cli.aws._telling import telling

if TYPE_CHECKING:
    from scones.aws.stance import StanceNow
    from scones.monitoring.watch.records import Standing


def stance(
    apply: Annotated[bool, typer.Option("--apply", help="Bring the newest stance in force")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what --apply would change")] = False,
    stack: StackOption = None,
    region: RegionOption = None,
    profile: ProfileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show how the endpoint is to be run, and what of it is not so yet; --apply makes it so.

    A stance is what the monitor or a person decided: which model answers, the least threshold, a model on trial. It
    lies in the application's bucket. It is brought in force by parameters of the stack; all else stays as it is.
    """
    from scones.aws.stance import apply_standing, look_at_stance

    account, names = open_account(stack, region, profile)
    found = look_at_stance(account, names)
    did = ""
    if apply and not dry_run and found.standing is not None:
        with telling(as_json) as (tell, _):
            did = apply_standing(account, names, found.standing, report=tell.event)
    if as_json:
        print_json({
            "endpoint": found.endpoint,
            "stance": found.standing and found.standing.model_dump(mode="json"),
            "said": found.said and found.said.model_dump(mode="json"),
            "changes": {
                name: {"now": found.stack.parameters.get(name), "wanted": value} for name, value in found.wanted.items()
            },
            "refused": found.refused,
            "did": did,
        })  # fmt: skip
    else:
        _show(found, did)


def _show(found: StanceNow, did: str) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table(show_header=False, box=None, pad_edge=False)
    for name, value in _rows(found):
        table.add_row(Text(name, style="dim"), Text(value))
    results().print(table)
    err = console()
    if did:
        err.print(f"done: {did}", markup=False, soft_wrap=True)
    elif found.refused:
        err.print(found.refused, style="yellow", markup=False, soft_wrap=True)
    elif found.wanted:
        err.print("nothing was changed; `scones aws stance --apply` does it", markup=False, soft_wrap=True)


def _rows(found: StanceNow) -> Iterator[tuple[str, str]]:
    yield "endpoint", found.endpoint
    yield "stance", "none was ever taken" if found.standing is None else _words(found.standing)
    if found.said is not None:
        yield "the monitor would", _words(found.said)
    for name, value in found.wanted.items():
        yield name, f"{found.stack.parameters.get(name) or 'none'} → {value or 'none'}"
    if found.standing is not None and not (found.wanted or found.refused):
        yield "stack", "is so"


def _words(standing: Standing) -> str:
    held = ", held until a person lets it go" if standing.held else ""
    return f"{standing.stance}{held} - {standing.who}, {standing.at.astimezone():%Y-%m-%d %H:%M}: {standing.why}"
