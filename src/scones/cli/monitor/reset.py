"""``scones monitor reset``."""

from __future__ import annotations

from typing import Annotated

import typer

from scones.cli._common import BucketOption, EndpointOption, JsonOption, StoreOption, WhoOption, print_json, whoami


def reset(
    why: Annotated[str, typer.Option(metavar="TEXT", help="What the alarm turned out to be, for the record")],
    endpoint: EndpointOption = None,
    who: WhoOption = None,
    store: StoreOption = None,
    bucket: BucketOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take an alarm down, once you have looked at it, and watch on for the next.

    The detector begins anew; what was read stays read. If the pictures are still as strange as before, it will raise
    an alarm again: then the model is to be trained on pictures of this kind.
    """
    from datetime import UTC, datetime

    from scones.monitoring.watch.resetting import begin_anew
    from scones.settings import Settings
    from scones.store import open_bucket

    settings = Settings.load(store=store, bucket=bucket, endpoint=endpoint)
    place = open_bucket(settings.store, settings.bucket)
    number, look = begin_anew(place, settings.endpoint, who=who or whoami(), why=why, now=datetime.now(UTC))
    if as_json:
        print_json({"number": number, "look": look.model_dump(mode="json")})
    else:
        typer.echo(f"look {number}: {look.note}")
