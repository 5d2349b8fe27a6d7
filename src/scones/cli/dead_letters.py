"""``scones dead-letters``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from scones.cli._common import BucketOption, JsonOption, StoreOption, console, print_json, results

if TYPE_CHECKING:
    from scones.workflow.intake import DeadLetter


def dead_letters(
    retry: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ARRIVAL", help="Have this one worked anew, as vehicles/main/driver-1/a1; several times, or `all`"
        ),
    ] = None,
    store: StoreOption = None,
    bucket: BucketOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the arrivals that cannot be worked as they are, with the reason and what helps.

    A picture that is damaged, too large, missing or misnamed would fail each time, so it is not tried again by
    itself. It stays where it is; its record lies under `dead-letters/`. Mend it, then send it again:

        scones dead-letters --retry vehicles/main/driver-1/a1

    The `scones run` that is at work takes it at its next look, or else the next one does.
    """
    from scones.settings import Settings
    from scones.store import open_bucket
    from scones.workflow.intake import read_letters, want_again

    settings = Settings.load(store=store, bucket=bucket)
    place = open_bucket(settings.store, settings.bucket)
    letters = read_letters(place)
    if retry:
        chosen = _chosen([letter for letter, _ in letters], retry)
        for letter in chosen:
            want_again(place, letter)
        if as_json:
            print_json([letter.model_dump() for letter in chosen])
        else:
            told = f"to be worked anew by the `scones run` at work, or by the next: {len(chosen)}"
            console().print(told, soft_wrap=True)
        return
    if as_json:
        print_json([letter.model_dump() | {"arrival": letter.arrival, "again": again} for letter, again in letters])
    else:
        _list(letters)


def _chosen(letters: Sequence[DeadLetter], names: Sequence[str]) -> list[DeadLetter]:
    """The letters that a person means: `all`, or an arrival, with or without its extension, or its key."""
    from scones.errors import ObjectMissing

    if "all" in names:
        return list(letters)
    chosen = []
    for name in names:
        found = [one for one in letters if name in (one.key, one.arrival, one.arrival.rpartition(".")[0])]
        if not found:
            raise ObjectMissing(f"no dead letter of an arrival {name!r}: `scones dead-letters` lists them")
        chosen.extend(found)
    return chosen


def _list(letters: Sequence[tuple[DeadLetter, bool]]) -> None:
    from rich.markup import escape
    from rich.table import Column, Table

    from scones.workflow.intake import POISON

    table = Table(
        "failed (UTC)",
        Column("arrival", overflow="fold"),
        Column("why", overflow="fold"),
        title=f"{len(letters)} dead letters",
        title_justify="left",
    )
    for letter, again in letters:
        why = f"{letter.error}: {letter.cause.replace(letter.key, 'it')}"
        told = f"{why}; the next look of `scones run` works it anew" if again else why
        table.add_row(letter.at[:19].replace("T", " "), escape(letter.arrival), escape(told))
    results().print(table)
    err = console()
    for error in sorted({letter.error for letter, again in letters if not again} & POISON.keys()):
        err.print(f"{error}: {POISON[error]}, then `scones dead-letters --retry ARRIVAL`", soft_wrap=True)
