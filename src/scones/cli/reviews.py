"""``scones reviews``."""

from __future__ import annotations

from scones.cli._common import BucketOption, JsonOption, StoreOption, print_json, results


def reviews(store: StoreOption = None, bucket: BucketOption = None, as_json: JsonOption = False) -> None:
    """List the pictures that the model was not sure of and that wait for a person."""
    from rich.table import Column, Table

    from scones.settings import Settings
    from scones.store import Layout, open_bucket

    settings = Settings.load(store=store, bucket=bucket)
    place = open_bucket(settings.store, settings.bucket)
    found = list(map(place.get_json, place.list(Layout.REVIEWS)))
    if as_json:
        print_json(found)
        return
    table = Table("the model's guess", "confidence", "threshold", Column("picture", overflow="fold"))
    for record in sorted(found, key=lambda record: record["confidence"]):
        table.add_row(
            record["label"],
            f"{record['confidence']:.4f}",
            f"{record['threshold']:.4f}",
            record["s3_key"],
        )
    results().print(table)
