"""Take in what people have answered: labelled examples of pictures that the model was not sure of."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from itertools import chain
from typing import TYPE_CHECKING

from scones.contracts import Example, parse
from scones.errors import SettingsError, StoreError
from scones.picture import MAX_BYTES
from scones.staging.source import Source, SourcePicture
from scones.store import Layout

if TYPE_CHECKING:
    from scones.store import Bucket
    from scones.task import Task

__all__ = ["with_examples"]


def with_examples(
    source: Source,
    bucket: Bucket,
    task: Task,
    open_other: Callable[[str], Bucket],
    *,
    without: Collection[str] = (),
) -> Source:
    """Add a task's examples to a source, to learn from.

    They are the pictures that were hard, not a fair sample of what arrives. So they are of the training split alone: a
    threshold that was calibrated on them, or an accuracy measured on them, would say nothing of the others.

    Args:
        source: the other pictures.
        bucket: where the examples lie.
        task: whose.
        open_other: opens the bucket of a picture that lies in another one.
        without: ids of inferences whose examples are left out.

    Returns:
        The source with the examples behind its own pictures; their number goes into the record.
    """
    keys = bucket.list(f"{Layout.EXAMPLES}/{task.name}")
    examples = [parse(Example, bucket.get_json(key), key) for key in keys]
    examples = [example for example in examples if example.inference_id not in without]
    found = _pictures(examples, bucket, task, open_other)
    return Source({**source.record, "examples": len(examples)}, chain(source.pictures, found))


def _pictures(
    examples: list[Example], bucket: Bucket, task: Task, open_other: Callable[[str], Bucket]
) -> Iterator[SourcePicture]:
    for example in examples:
        data, fault = b"", ""
        if example.label not in task.labels:
            fault = f"is of label {example.label}, which task {task.name} does not have"
        else:
            try:
                place = bucket if example.s3_bucket == bucket.name else open_other(example.s3_bucket)
                data = place.get(example.s3_key, most=MAX_BYTES)
            except (SettingsError, StoreError) as error:
                fault = f"cannot be read ({error})"
        # its path says nothing of what it shows, unlike those that the task's patterns are for: no group
        yield SourcePicture(example.s3_key, example.label, data, "train", fault, group="", only_train=True)
