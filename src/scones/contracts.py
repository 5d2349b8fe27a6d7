"""Every message that crosses a boundary: keys of arrivals, workflow input, what functions pass on, records.

Golden files of each lie in ``tests/contract``. Unknown fields are passed on untouched wherever another
team may add some; a missing or wrong one is a :class:`scones.errors.MessageError` that names it.
"""

from __future__ import annotations

import hashlib
import json
import re
from datetime import datetime, timedelta
from posixpath import dirname, join
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from scones.errors import MessageError

__all__ = [
    "PICTURE_TYPES",
    "Answer",
    "Arrival",
    "Body",
    "Classified",
    "Example",
    "ExecutionInput",
    "ExecutionRef",
    "ManifestLine",
    "Order",
    "PersonsAnswer",
    "Policy",
    "Review",
    "Route",
    "execution_input",
    "failure_message",
    "first_fault",
    "parse",
    "picture_type",
    "unwrap",
]

PICTURE_TYPES = {
    "png": "image/png",
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "webp": "image/webp",
}
"""Content type by file extension, of the pictures that an arrival may be."""

_M = TypeVar("_M", bound=BaseModel)
_Part = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$")]
_ADDRESS = re.compile(r"^s3://([^/]+)/(.+)$")
_ARRIVAL = re.compile(r"^arrivals/([^/]+)/([^/]+)/([^/]+)/([^/]+)\.([A-Za-z]+)$")


class _Message(BaseModel):
    # a function or a verb uses few of them: each is made ready when it is first used
    model_config = ConfigDict(frozen=True, extra="allow", defer_build=True)


class Arrival(_Message):
    """A picture that came in: which task, depot and driver it belongs to.

    Its key is ``arrivals/{task}/{depot}/{driver_id}/{arrival_id}.{ext}``.
    """

    task: _Part
    depot: _Part
    driver_id: _Part
    arrival_id: _Part

    @property
    def path(self) -> str:
        """Names the arrival, and every record about it, in the store."""
        return f"{self.task}/{self.depot}/{self.driver_id}/{self.arrival_id}"

    def key(self, ext: str = "png") -> str:
        """The arrival's key in its bucket."""
        return f"arrivals/{self.path}.{ext}"


class ExecutionRef(_Message):
    """Names one execution: its name, and when it started (``$$.Execution`` of the workflow's context object)."""

    name: str = Field(min_length=1)
    start_time: str


class ExecutionInput(_Message):
    """What starts an execution of ``classify.asl.json``, and what ``batch.asl.json`` makes of each of its pictures.

    Attributes:
        s3_bucket, s3_key: where the picture lies.
        manifest: the key of the manifest that ``s3_key`` is a ``source-ref`` of: an s3:// address, or relative to
            the manifest's own folder.
        task, depot, driver_id, arrival_id: who arrived, where the key does not say it.
        execution: the workflow adds it; without it nothing is claimed.
        supersedes: names of executions of this arrival that ended without a result.
    """

    s3_bucket: str = Field(min_length=1)
    s3_key: str = Field(min_length=1)
    manifest: str = ""
    image_data: str = ""
    task: _Part | None = None
    depot: _Part | None = None
    driver_id: _Part | None = None
    arrival_id: _Part | None = None
    execution: ExecutionRef | None = None
    supersedes: tuple[str, ...] = ()

    def resolved(self) -> ExecutionInput:
        """The same, with bucket and key where it says them in a manifest's words.

        Example:
            >>> listed = ExecutionInput(s3_bucket="b", s3_key="pictures/1.png", manifest="datasets/v/manifest.jsonl")
            >>> listed.resolved().s3_key
            'datasets/v/pictures/1.png'
        """
        if not self.manifest:
            return self
        address = _ADDRESS.match(self.s3_key)
        bucket, key = address.groups() if address else (self.s3_bucket, join(dirname(self.manifest), self.s3_key))
        return self.model_copy(update={"s3_bucket": bucket, "s3_key": key, "manifest": ""})

    def arrival(self, *, task: str, depot: str) -> Arrival:
        """Who arrived: from the key, or from the optional fields, or else from the defaults given.

        Example:
            >>> ExecutionInput(s3_bucket="b", s3_key="test/bicycle_s_000513.png").arrival(task="vehicles", depot="main")
            Arrival(task='vehicles', depot='main', driver_id='unknown', arrival_id='test.bicycle_s_000513.png-15a41a3b')
        """
        parts = _ARRIVAL.match(self.s3_key)
        found = (
            dict(zip(("task", "depot", "driver_id", "arrival_id"), parts.groups()[:4], strict=True)) if parts else {}
        )
        plain = re.sub(r"[^A-Za-z0-9._-]+", ".", self.s3_key)[-100:].strip("._-") or "picture"
        unique = hashlib.sha256(f"{self.s3_bucket}/{self.s3_key}".encode()).hexdigest()[:8]
        fallback = {"task": task, "depot": depot, "driver_id": "unknown", "arrival_id": f"{plain}-{unique}"}
        given = {name: value for name in fallback if (value := getattr(self, name)) is not None}
        return parse(Arrival, fallback | found | given, "the arrival")


class Body(Arrival):
    """What the functions pass on: the picture, who brought it, and as it goes along, the answer."""

    image_data: str = ""
    s3_bucket: str
    s3_key: str
    inferences: list[float] = []
    execution: str = ""
    execution_started: str = ""
    content_type: str = "image/png"
    duplicate: bool = False


class Classified(_Message):
    """The part of the body that decides.

    Attributes:
        inferences: probabilities, in the order of the task's labels.
        label: the most likely label.
        confidence: its probability, 0 to 1.
        threshold: the least confidence at which the model decides alone, 0 to 1.
    """

    inferences: list[Annotated[float, Field(ge=0, le=1)]] = Field(min_length=1)
    label: str
    confidence: float = Field(ge=0, le=1)
    threshold: float = Field(ge=0, le=1)


class Answer(_Message):
    """What the endpoint's custom-attributes header says beside the plain list of probabilities."""

    model_version: str
    threshold: float = Field(ge=0, le=1)
    inference_id: str
    labels: tuple[str, ...]
    task: str = ""

    def header(self) -> str:
        """Write it as the header's text: ``name=value`` pairs, separated by semicolons."""
        return (
            f"model_version={self.model_version};threshold={self.threshold!r};"
            f"inference_id={self.inference_id};labels={','.join(self.labels)};task={self.task}"
        )

    @classmethod
    def from_header(cls, text: str) -> Answer:
        """Read the header's text.

        Raises:
            MessageError: a part is missing.
        """
        fields: dict[str, Any] = dict(part.split("=", 1) for part in text.split(";") if "=" in part)
        fields["labels"] = tuple(filter(None, str(fields.get("labels", "")).split(",")))
        return parse(cls, fields, "the endpoint's custom attributes")


class Policy(_Message):
    """Which model an alias of a task (``production``, ``candidate``) names, and since when, by whom and why.

    Attributes:
        version: the model's version.
        threshold: set by a person, it overrides the bundle's; None leaves the bundle's in force.
        who, why: for the record.
        at: UTC, ISO 8601.
        gates: what the gates of a promotion said, a sentence for each.
        forced: some of them refused, and a person overrode them.
        restores: of a rollback, the number of the record that counts again.
    """

    version: str
    threshold: float | None = Field(None, ge=0, le=1)
    who: str
    why: str
    at: str
    gates: tuple[str, ...] = ()
    forced: bool = False
    restores: int | None = None


class Order(_Message):
    """A delivery that waits for a driver. ``distance_km`` is the way from the depot."""

    order_id: _Part
    distance_km: float = Field(ge=0, allow_inf_nan=False)


class Route(_Message):
    """Where a driver is sent: ``order`` is None when no order in their range is open and they wait."""

    arrival_id: str
    driver_id: str
    label: str
    bay: str
    order: Order | None
    outcome: str
    execution: str


class Review(Arrival):
    """A picture that the model was not sure of, and that a person was asked about; ``review.asl.json`` writes it.

    Attributes:
        s3_bucket, s3_key: where the picture lies.
        label, confidence, threshold, inferences, model_version, inference_id: the model's guess, as in
            :class:`Classified`.
        execution: of ``classify``, which asked.
        why: the error's name.
        asked_at, seconds: from when on a person has how long.
        task_token: ends the wait: SendTaskSuccess with a :class:`PersonsAnswer`.
    """

    s3_bucket: str
    s3_key: str
    label: str
    confidence: float
    threshold: float
    inferences: list[float]
    model_version: str
    inference_id: str
    execution: str
    why: str
    asked_at: datetime
    seconds: int
    task_token: str

    @property
    def deadline(self) -> datetime:
        """When the safe default takes the place of an answer."""
        return self.asked_at + timedelta(seconds=self.seconds)


class PersonsAnswer(_Message):
    """What a person says that a picture shows: ``by`` whom, ``at`` when (UTC, ISO 8601)."""

    label: str = Field(min_length=1)
    by: str = Field(min_length=1)
    at: str


class Example(Arrival):
    """A picture that a person has labelled; ``review.asl.json`` writes it, and `scones stage --examples` takes it in.

    Attributes:
        s3_bucket, s3_key: where the picture lies.
        label, by, at: the :class:`PersonsAnswer`.
        guess, confidence, model_version, inference_id: the model's.
    """

    s3_bucket: str
    s3_key: str
    label: str
    by: str
    at: str
    guess: str
    confidence: float
    model_version: str
    inference_id: str


class ManifestLine(BaseModel):
    """A line of ``manifest.jsonl``: SageMaker's augmented manifest, one picture.

    Attributes:
        source_ref: address of the picture: relative to the manifest's own folder, or s3://.
        label: the label's name; ``label_index`` is its place in the task's labels.
        split: train, calibration or test.
        hash: SHA-256 of the picture's content, see :func:`scones.picture.content_hash`.
        width, height: pixels.
        origin: where the picture came from (a name in an archive, a file).
        group: the thing that it shows; empty when nothing is known of it.
    """

    model_config = ConfigDict(frozen=True, populate_by_name=True, defer_build=True)

    source_ref: str = Field(alias="source-ref")
    label: str
    label_index: int
    split: str
    hash: str
    width: int
    height: int
    origin: str
    group: str = ""


def parse(model: type[_M], value: Any, what: str) -> _M:
    """Check a value against a message type.

    Raises:
        MessageError: names ``what``, the field and its fault.
    """
    try:
        return model.model_validate(value)
    except ValidationError as error:
        raise MessageError(f"{what}: field {first_fault(error)}: correct the sender") from error


def first_fault(error: ValidationError) -> str:
    """The first fault that pydantic found: its place and what is wrong, as ``policy.target_risk: Field required``."""
    first = error.errors(include_url=False, include_context=False)[0]
    return f"{'.'.join(map(str, first['loc'])) or 'the whole'}: {first['msg']}"


def unwrap(event: Any) -> dict[str, Any]:
    """Take the body out of an event; it comes as an object or as JSON text, or the event is the body itself.

    Raises:
        MessageError: there is no object to be found.
    """
    body = event.get("body", event) if isinstance(event, dict) else event
    if isinstance(body, str):
        try:
            body = json.loads(body)
        except ValueError as error:
            raise MessageError(f"the event's body is text, but no JSON ({error}): correct the sender") from error
    if not isinstance(body, dict):
        raise MessageError(f"the event's body is a {type(body).__name__}, not an object: correct the sender")
    return body


def failure_message(cause: str | None) -> str:
    """What a function said as it failed: the message in its cause, which is JSON text as Lambda writes it.

    Example:
        >>> failure_message('{"errorMessage": "no picture", "errorType": "PictureError"}')
        'no picture'
        >>> failure_message("took too long")
        'took too long'
    """
    try:
        return str(json.loads(cause or "")["errorMessage"])
    except (ValueError, KeyError, TypeError):
        return cause or ""


def execution_input(event: dict[str, Any]) -> dict[str, Any]:
    """Map an EventBridge "Object Created" event of S3 to the workflow's input, as the deployed rule does.

    Raises:
        MessageError: it is another event.
    """
    try:
        return {
            "image_data": "",
            "s3_bucket": event["detail"]["bucket"]["name"],
            "s3_key": event["detail"]["object"]["key"],
        }
    except (KeyError, TypeError) as error:
        raise MessageError(f"no S3 event: {error} is missing: send an EventBridge 'Object Created' event") from error


def picture_type(key: str) -> str | None:
    """The content type of a key by its extension; None when it names no picture (``test.lst``)."""
    return PICTURE_TYPES.get(key.rsplit(".", 1)[-1].lower()) if "." in key.rsplit("/", 1)[-1] else None
