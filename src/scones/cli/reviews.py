"""``scones reviews``."""

from __future__ import annotations

from scones.cli._common import BucketOption, JsonOption, StoreOption, print_json, results


def reviews(store: StoreOption = None, bucket: BucketOption = None, as_json: JsonOption = False) -> None:
    """List the pictures that the model was not sure of and that wait for a person, the most urgent first.

    Answer with `scones answer ARRIVAL LABEL`. What nobody answers in time ends in the safe default.
    """
    from datetime import UTC, datetime

    from rich.table import Column, Table

    from scones.settings import Settings
    from scones.store import open_bucket
    from scones.workflow.reviews import open_reviews

    settings = Settings.load(store=store, bucket=bucket)
    place = open_bucket(settings.store, settings.bucket)
    found = sorted(open_reviews(place), key=lambda review: review.deadline)
    if as_json:
        # the token ends the wait: it is for programs that read the record itself
        print_json([{"arrival": one.path, **one.model_dump(mode="json", exclude={"task_token"})} for one in found])
        return
    table = Table(
        Column("arrival", overflow="fold"),
        "the model's guess",
        "confidence",
        "threshold",
        "time left",
        Column("picture", overflow="fold"),
    )
    now = datetime.now(UTC)
    for review in found:
        own = review.s3_bucket == place.name
        table.add_row(
            review.path,
            review.label,
            f"{review.confidence:.4f}",
            f"{review.threshold:.4f}",
            _left((review.deadline - now).total_seconds()),
            place.url(review.s3_key) if own else f"s3://{review.s3_bucket}/{review.s3_key}",
        )
    results().print(table)


def _left(seconds: float) -> str:
    """How long there is to answer, in words."""
    if seconds <= 0:
        return "none"
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.0f} h"
