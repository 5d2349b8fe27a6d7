"""``scones orders``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from scones.cli._common import BucketOption, JsonOption, StoreOption, print_json, results


def orders(
    add: Annotated[
        Path | None, typer.Option(metavar="FILE", help='JSON lines: {"order_id": "o-1", "distance_km": 2.5}')
    ] = None,
    sample: Annotated[int | None, typer.Option(metavar="N", min=1, help="Make N orders up")] = None,
    seed: Annotated[int, typer.Option(help="Of the orders made up")] = 0,
    depot: Annotated[str | None, typer.Option(metavar="NAME", help="The depot  [main]")] = None,
    store: StoreOption = None,
    bucket: BucketOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show a depot's open orders; add some with `--add FILE` or `--sample N`."""
    from rich.table import Table

    from scones.dispatch import add_orders, open_orders, read_order_lines, sample_orders
    from scones.settings import Settings
    from scones.store import open_bucket

    settings = Settings.load(store=store, bucket=bucket, depot=depot)
    place = open_bucket(settings.store, settings.bucket)
    if add is not None:
        add_orders(place, settings.depot, read_order_lines(add))
    if sample is not None:
        add_orders(place, settings.depot, sample_orders(sample, seed))
    found = sorted(open_orders(place, settings.depot), key=lambda order: order.distance_km)
    if as_json:
        print_json([order.model_dump() for order in found])
        return
    table = Table("order", "distance (km)", title=f"{len(found)} open orders of depot {settings.depot}")
    for order in found:
        table.add_row(order.order_id, f"{order.distance_km:.1f}")
    results().print(table)
