"""What a candidate learns from: the old pictures and the judged ones, and how much each counts."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, cast

from scones.errors import PictureError
from scones.picture import content_hash, decode
from scones.staging.source import SourcePicture

if TYPE_CHECKING:
    from scones.contracts import ManifestLine
    from scones.retraining.judged import Judged
    from scones.staging import Dataset
    from scones.staging.inspection import Split

__all__ = ["Counts", "but_unseen", "captured_origin", "inference_of", "together"]

_COUNTS: Final = 3.0
_MOST_OF_OLD: Final = 0.25
"""A judged picture counts as three old ones, as long as all together count for no more than a quarter of the old. With
more weight than that a model learns the new pictures hardly better, and forgets the old ones."""


@dataclass(frozen=True)
class Counts:
    """How much a training picture counts: a judged one more than an old one.

    Attributes:
        judged: contents of the judged ones, by their hashes.
        each: how much each of them counts, where an old one counts 1.
    """

    judged: frozenset[str]
    each: float

    @classmethod
    def of(cls, dataset: Dataset, learned: Sequence[Judged]) -> Counts:
        """Weigh the training pictures of a dataset; judged pictures that it does not have count for nothing."""
        contents = frozenset(one.content for one in learned)
        train = [line.hash in contents for line in dataset.lines if line.split == "train"]
        new = sum(train)
        return cls(contents, min(_COUNTS, max(1.0, _MOST_OF_OLD * (len(train) - new) / max(new, 1))))

    def __call__(self, line: ManifestLine) -> float:
        """How much a picture counts."""
        return self.each if line.hash in self.judged else 1.0


def captured_origin(endpoint: str, name: str) -> str:
    """Where a captured picture came from, as a dataset says it: so that who is to be forgotten can be found there.

    Args:
        endpoint: that captured it.
        name: the caller's id of the inference, which is the workflow's; where there is none, the id of the event.
    """
    return f"{endpoint}/{name}"


def inference_of(origin: str) -> str:
    """The id that :func:`captured_origin` was given; of a picture that was not captured it is no id of an inference.

    Example:
        >>> inference_of(captured_origin("scones", "a42-8056118045a0865e"))
        'a42-8056118045a0865e'
    """
    return origin.partition("/")[2]


def together(
    endpoint: str, old: Dataset, learned: Mapping[str, Judged], unseen: Collection[str]
) -> Iterator[SourcePicture]:
    """The pictures of a dataset in their splits, and the judged ones.

    Args:
        endpoint: that captured the judged ones.
        old: the dataset. Of its training pictures those are left out that people now call something else, and those
            that show what is held back.
        learned: the judged ones to learn from, by their contents' hashes.
        unseen: hashes of what is held back to measure with.
    """
    known = set()
    for line in old.lines:
        if line.split == "train":
            judged = learned.get(line.hash)
            if line.hash in unseen or (judged is not None and judged.label != line.label):
                continue
            known.add(line.hash)
        yield SourcePicture(
            line.origin, line.label, old.read(line), cast("Split", line.split), group=line.group, only_train=True
        )
    for content, one in learned.items():
        if content not in known:
            origin = captured_origin(endpoint, one.inference or one.event)
            yield SourcePicture(origin, one.label, one.data, "train", group="", only_train=True)


def but_unseen(pictures: Iterable[SourcePicture], unseen: Collection[str]) -> Iterator[SourcePicture]:
    """All pictures but training pictures that show what is held back to measure with."""
    for one in pictures:
        if one.split == "train" and unseen:
            with suppress(PictureError):  # one that cannot be read is told in the checks
                if content_hash(decode(one.data)) in unseen:
                    continue
        yield one
