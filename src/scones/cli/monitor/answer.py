"""``scones monitor answer``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from scones.cli._common import (
    BucketOption,
    EndpointOption,
    JsonOption,
    StoreOption,
    WhoOption,
    console,
    print_json,
    whoami,
)


def answer(
    answers: Annotated[
        list[str] | None, typer.Argument(metavar="[EVENT=LABEL]...", help="What pictures show, by their event ids")
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option("--file", metavar="FILE", help="A CSV file with the columns event and label; - is stdin"),
    ] = None,
    audit: Annotated[str | None, typer.Option("--audit", metavar="NAME", help="Which audit  [the newest]")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only check them")] = False,
    endpoint: EndpointOption = None,
    who: WhoOption = None,
    store: StoreOption = None,
    bucket: BucketOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say what pictures of an audit show; then tell how good the model is.

    Answers are kept as ground truth in SageMaker's format, for good: `scones monitor watch` tells the accuracy by them,
    and `scones retrain` learns from them. Of a picture that is answered twice the latest answer counts. Leave out what
    you cannot tell.
    """
    from datetime import UTC, datetime

    from scones.monitoring import read_truths
    from scones.monitoring.watch.audit import answer as write_down
    from scones.monitoring.watch.audit import check_answers, read_audit
    from scones.settings import Settings
    from scones.store import Layout, open_bucket

    settings = Settings.load(store=store, bucket=bucket, endpoint=endpoint)
    place = open_bucket(settings.store, settings.bucket)
    name, asked = read_audit(place, settings.endpoint, audit)
    given = _given(answers or [], file)
    check_answers(asked, given)
    if not dry_run:
        write_down(place, settings.endpoint, asked, given, who=who or whoami(), now=datetime.now(UTC))
    truths = read_truths(place, Layout.ground_truth(settings.endpoint))
    done, estimate = len(asked.correct(truths)), asked.estimate(truths)
    if as_json:
        print_json({
            "audit": name, "answers": len(given), "answered": done, "drawn": len(asked.drawn), "dry_run": dry_run,
            "accuracy": estimate.model_dump() if estimate else None,
        })  # fmt: skip
        return
    err = console()
    kept = "could be taken" if dry_run else "taken"
    err.print(f"{len(given)} answers {kept}; of audit {name} {done} of {len(asked.drawn)} pictures are answered")
    if estimate is None:
        err.print("the accuracy can be told from 10 answers on")
    else:
        err.print(
            f"accuracy by people's answers: [bold]{estimate.share:.1%}[/] "
            f"({estimate.low:.1%} to {estimate.high:.1%}); next: scones monitor watch",
            soft_wrap=True,
        )


def _given(words: list[str], file: Path | None) -> dict[str, str]:
    """The answers on the command line and in the file, by event id."""
    import csv
    import sys

    from scones.errors import MonitorError

    given: dict[str, str] = {}
    if file is not None:
        try:
            text = sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            raise MonitorError(f"cannot read {file} ({error}): give a CSV file") from error
        rows = csv.DictReader(text.splitlines())
        if not {"event", "label"} <= set(rows.fieldnames or ()):
            raise MonitorError(
                f"{file} has the columns {', '.join(rows.fieldnames or ()) or 'none'}: it needs event and label"
            )
        given |= {str(row["event"]).strip(): label for row in rows if (label := (row["label"] or "").strip())}
    for word in words:
        event, equals, label = word.rpartition("=")
        if not equals or not event or not label:
            raise MonitorError(f"{word!r} is no answer: write EVENT=LABEL")
        given[event] = label
    return given
