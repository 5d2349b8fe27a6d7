"""``scones aws invoke``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from scones.cli._common import JsonOption, console, print_json, progress_report, results
from scones.cli.aws._options import ProfileOption, RegionOption, StackOption, open_account

if TYPE_CHECKING:
    from scones.aws.invoke import Outcome


def invoke(
    picture: Annotated[Path, typer.Argument(metavar="PICTURE", help="A PNG, JPEG or WebP file")],
    task: Annotated[
        str | None, typer.Option(metavar="NAME", help="The task of the arrival  [that of the deployment]")
    ] = None,
    depot: Annotated[str | None, typer.Option(metavar="NAME", help="Where it arrives  [main]")] = None,
    driver: Annotated[str, typer.Option(metavar="NAME", help="Who arrives")] = "invoke",
    timeout: Annotated[float, typer.Option(min=1, metavar="SECONDS", help="How long to wait for the result")] = 120,
    stack: StackOption = None,
    region: RegionOption = None,
    profile: ProfileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Send one picture through the application on AWS, as a camera would, and show what becomes of it."""
    from uuid import uuid4

    from scones.aws.invoke import application_task, send_through
    from scones.contracts import PICTURE_TYPES, Arrival, parse
    from scones.errors import PictureError
    from scones.picture import decode
    from scones.settings import Settings

    settings = Settings.load(stack=stack, depot=depot)
    extension = picture.suffix.removeprefix(".").lower()
    if extension not in PICTURE_TYPES:
        raise PictureError(f"{picture} is no picture by its name: use a file that ends in {', '.join(PICTURE_TYPES)}")
    try:
        data = picture.read_bytes()
    except OSError as error:
        raise PictureError(f"cannot read {picture} ({error.strerror}): give the path of a picture") from error
    decode(data, name=str(picture))  # what cannot be worked there need not be sent
    account, names = open_account(stack, region, profile)
    told = {
        "task": task or application_task(account, names),
        "depot": settings.depot,
        "driver_id": driver,
        "arrival_id": f"invoke-{uuid4().hex[:12]}",
    }
    arrival = parse(Arrival, told, "the arrival")
    with progress_report(as_json) as report:
        outcome = send_through(
            account,
            names,
            data,
            extension,
            arrival,
            timeout=timeout,
            waiting=lambda seconds: report("waiting for the result (seconds)", int(seconds), int(timeout)),
        )
    shown = {name: value for name, value in outcome.record.items() if name != "task_token"}  # it ends the wait
    if as_json:
        print_json({
            "arrival": arrival.path,
            "kind": outcome.kind,
            "key": outcome.key,
            "seconds": round(outcome.seconds, 3),
            "record": shown,
        })  # fmt: skip
        return
    _show(outcome, shown)
    if outcome.kind == "review":
        console().print(
            f"the model is not sure: a person decides, with `scones answer {arrival.path} LABEL --store s3:// "
            f"--bucket {names.bucket}`",
            soft_wrap=True,
        )


def _show(outcome: Outcome, shown: dict[str, object]) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table(show_header=False, box=None, pad_edge=False)
    for name, value in {"record": outcome.key, "seconds": f"{outcome.seconds:.1f}", **shown}.items():
        table.add_row(Text(name, style="dim"), Text("none" if value is None else str(value)))
    results().print(table)
