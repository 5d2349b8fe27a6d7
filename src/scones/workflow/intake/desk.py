"""What a caller can ask for: take this picture, work that object, tell what became of an arrival."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from scones.contracts import PICTURE_TYPES, Arrival, ExecutionInput
from scones.errors import ObjectExists, ObjectMissing, ObjectTooLarge, WorkflowError
from scones.store import Layout
from scones.workflow.arrivals import MACHINE, execution_name, newest_execution, outcome
from scones.workflow.intake.admission import Admission

if TYPE_CHECKING:
    from scones.workflow.engine import Engine, ExecutionDetail

__all__ = ["Desk", "NoRoom", "Receipt"]


class NoRoom(Exception):
    """Nothing can be taken now; ``stopping``: by this process, not at all."""

    def __init__(self, message: str, *, stopping: bool) -> None:
        super().__init__(message)
        self.stopping = stopping


@dataclass(frozen=True, slots=True)
class Receipt:
    """An arrival was taken: its path, the name of its execution, and whether that runs or waits, or how it ended."""

    arrival: str
    execution: str
    status: str


class Desk:
    """Takes arrivals from callers; each method blocks, and may be called from several threads.

    Args:
        engine: works them.
        admission: starts them.
        task, depot: of an arrival whose key names none.
    """

    def __init__(self, engine: Engine, admission: Admission, *, task: str, depot: str) -> None:
        self.admission = admission
        self.defaults: Mapping[str, str] = {"task": task, "depot": depot, "driver_id": "unknown"}
        """Who arrives where nobody says so."""
        self._engine, self._bucket = engine, admission.bucket

    def check_room(self) -> None:
        """See whether anything can be taken now.

        Raises:
            NoRoom: as many executions run as may, or the process ends.
        """
        if self.admission.closed:
            raise NoRoom("the process ends: send it again when it was started anew", stopping=True)
        if self.admission.full:
            raise NoRoom(
                f"{self.admission.most:,} executions run, and no more may: send it again in a moment", stopping=False
            )

    def take_picture(self, arrival: Arrival, data: bytes, kind: str) -> Receipt:
        """Write a picture under ``arrivals/`` and start its execution; the same again changes nothing.

        Once the picture lies there it will be worked, so the caller gets a receipt whatever comes in between.

        Args:
            arrival: who brings it.
            data: the picture.
            kind: its extension.

        Raises:
            NoRoom: as :meth:`check_room`; nothing was written.
            ObjectExists: another picture has this name.
            StoreError: it cannot be written.
        """
        self.check_room()
        key = arrival.key(kind)
        for other in PICTURE_TYPES.keys() - {kind}:
            if self._bucket.exists(arrival.key(other)):
                raise _taken(arrival)
        try:
            self._bucket.create(key, data)
        except ObjectExists:
            if not self._holds(key, data):
                raise _taken(arrival) from None
        with suppress(WorkflowError):  # the engine was stopped or broke: the next one finds the picture
            if begun := self.admission.begin(key):
                return Receipt(arrival.path, begun.name, begun.status)
        return Receipt(arrival.path, execution_name(self._bucket, key), "WAITING")

    def take_object(self, key: str) -> Receipt:
        """Start the execution of a picture that lies under ``arrivals/`` already; the same again changes nothing.

        Raises:
            MessageError: its key holds what can be no name.
            NoRoom: as :meth:`check_room`; it is started later.
            ObjectMissing: there is no such picture.
            StoreError: the store does not answer.
        """
        arrival = self._arrival(key)
        if not self._bucket.exists(key) and newest_execution(self._engine, self._bucket, key) is None:
            raise ObjectMissing(f"no object {key!r} in bucket {self._bucket.name}: write it first")
        begun = self.admission.begin(key)
        if begun is None:
            self.check_room()
            return Receipt(arrival.path, execution_name(self._bucket, key), "WAITING")  # room came just now
        return Receipt(arrival.path, begun.name, begun.status)

    def describe(self, arrival: Arrival) -> dict[str, Any] | None:
        """What became of an arrival; None where nothing is known of it.

        Raises:
            StoreError, JournalError: it cannot be read.
        """
        found = list(self._executions(arrival))
        if not found:
            key = next((key for key in _keys(arrival) if self._bucket.exists(key)), None)
            return None if key is None else self._told(arrival, key, None)
        # of two pictures of one name, one is refused
        key, name = next(((key, name) for key, name, status in found if status != "FAILED"), found[0][:2])
        return self._told(arrival, key, self._engine.describe(name, MACHINE))

    def _told(self, arrival: Arrival, key: str, execution: ExecutionDetail | None) -> dict[str, Any]:
        dead = key in self.admission.letters
        told: dict[str, Any] = {
            "arrival": arrival.path,
            "key": key,
            "execution": execution.name if execution else None,
            "status": execution.status if execution else "FAILED" if dead else "WAITING",
            "outcome": outcome(execution) if execution else "failed" if dead else None,
            "route": None,
            "error": execution.error if execution else None,
            "cause": execution.cause if execution else None,
            "dead_letter": dead,
        }
        if execution is not None and execution.status == "SUCCEEDED":
            for record in (Layout.route(arrival.path), Layout.result(arrival.path)):
                with suppress(ObjectMissing):
                    told["route"] = self._bucket.get_json(record)
                    told["outcome"] = told["route"].get("outcome", told["outcome"])  # a person may have decided since
                    break
        return told

    def _executions(self, arrival: Arrival) -> Iterator[tuple[str, str, str]]:
        """The executions of all pictures with the arrival's name: key, name and status."""
        keys = list(_keys(arrival))
        if claim := self._bucket.latest(Layout.claim_series(arrival.path)):
            keys = [claim["s3_key"], *keys]  # which may say another name, or none
        for key in dict.fromkeys(keys):
            if found := newest_execution(self._engine, self._bucket, key):
                yield key, *found

    def _arrival(self, key: str) -> Arrival:
        return ExecutionInput(s3_bucket=self._bucket.name, s3_key=key).arrival(
            task=self.defaults["task"], depot=self.defaults["depot"]
        )

    def _holds(self, key: str, data: bytes) -> bool:
        try:
            return self._bucket.get(key, most=len(data)) == data
        except ObjectTooLarge:
            return False


def _keys(arrival: Arrival) -> Iterator[str]:
    for kind in PICTURE_TYPES:
        yield arrival.key(kind)
        yield arrival.key(kind.upper())


def _taken(arrival: Arrival) -> ObjectExists:
    return ObjectExists(f"another picture has the name {arrival.path}: give this one an arrival_id of its own")
