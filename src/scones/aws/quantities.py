"""How much of each service a stack uses in a month."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from math import ceil

from scones.aws.assumptions import Assumptions
from scones.aws.prices import HOURS
from scones.aws.usage import (
    ALARM_METRICS,
    MEMORY,
    METRICS,
    MONITOR_MEMORY,
    SCALING_ALARMS,
    Way,
    way,
)
from scones.errors import AwsError

__all__ = ["DAYS", "Quantities"]

DAYS = HOURS / 24
"""Days of a month."""
_GB = 1e9
_MINUTES = {"minute": 1, "hour": 60, "day": 24 * 60}


class Quantities:
    """What a stack uses in a month: what for, the key of the price, single things (requests, seconds, GB).

    Args:
        parameters: of the stack.
        pictures_per_day: as a mean.
        assumed: about pictures and functions.

    Raises:
        AwsError: a parameter is missing or no number; its methods raise this too.
    """

    def __init__(self, parameters: Mapping[str, str], pictures_per_day: float, assumed: Assumptions) -> None:
        self._parameters = parameters
        self._assumed = assumed
        self._pictures = pictures_per_day * DAYS
        self._rate = pictures_per_day / 86_400
        task, unsure = self._text("Task"), assumed.unsure_share
        asked = {"FilterInferences": "AskPerson"}
        # ways with their share of the pictures; every unsure one goes through a review too
        self._classify = [(1 - unsure, way("classify", task)), (unsure, way("classify", task, asked))]
        self._review = [(unsure, way("review", task))]
        self._serverless = self._text("Inference") == "serverless"
        self._capture = self._number("CapturePercent") / 100

    def _text(self, name: str) -> str:
        try:
            return self._parameters[name]
        except KeyError:
            raise AwsError(f"parameter {name} of the stack is not given: give all that app.yaml has") from None

    def _number(self, name: str) -> float:
        try:
            return float(self._text(name))
        except ValueError:
            raise AwsError(f"parameter {name} is {self._text(name)!r}: give a number") from None

    @property
    def _ways(self) -> list[tuple[float, Way]]:
        return self._classify + self._review

    @property
    def _peak_a_minute(self) -> float:
        return 60 * self._rate * self._assumed.peak

    @property
    def _instances(self) -> int:
        """Real-time instances, as if the busiest hour lasted."""
        wanted = ceil(self._peak_a_minute / self._number("InvocationsPerInstance"))
        return int(min(max(wanted, self._number("MinInstances")), self._number("MaxInstances")))

    @property
    def _captured(self) -> float:
        """Objects of the capture, a picture."""
        if self._serverless:
            return self._capture
        return min(self._capture, self._assumed.capture_files * self._instances * DAYS / self._pictures)

    @property
    def _runs(self) -> float:
        """Runs of the monitor; of a cron expression no more is known than that it may be hourly."""
        found = re.fullmatch(r"rate\(([1-9]\d*) (minute|hour|day)s?\)", self._text("MonitorSchedule"))
        return HOURS * 60 / (int(found[1]) * _MINUTES[found[2]]) if found else HOURS

    def notes(self) -> Iterator[str]:
        """What the parameters do not allow."""
        if not self._serverless:
            room = self._number("MaxInstances") * self._number("InvocationsPerInstance")
            if self._peak_a_minute > room:
                yield (
                    f"the busiest hour has {self._peak_a_minute:,.0f} pictures a minute, and MaxInstances takes "
                    f"{room:,.0f}: raise it"
                )
        elif (busy := self._peak_a_minute / 60 * self._assumed.serverless_seconds) > (
            most := self._number("ServerlessConcurrency")
        ):
            yield f"the busiest hour has {busy:,.0f} pictures at a time; raise ServerlessConcurrency, it is {most:g}"

    def fixed(self) -> Iterator[tuple[str, str, float]]:
        """What is there without pictures; of the monitor also the files that it reads."""
        if not self._serverless:
            kind = self._text("InstanceType")
            yield f"endpoint: {self._instances} x {kind}", f"sagemaker.hosting.{kind}", self._instances * HOURS
            if self._text("CandidateKey"):
                more = int(self._number("MinInstances"))
                yield f"endpoint: candidate, {more} x {kind}", f"sagemaker.hosting.{kind}", more * HOURS
        scaling = 0 if self._serverless else SCALING_ALARMS
        yield "alarms, by the metrics that they look at", "cloudwatch.alarms", ALARM_METRICS + scaling
        yield "metrics of the monitor", "cloudwatch.metrics", METRICS
        if self._text("ShowDashboard") == "true":
            yield "dashboard", "cloudwatch.dashboards", 1
        yield "budget", "budgets.budget", 1
        yield from self._monitor()
        yield "container images", "ecr.storage", self._assumed.image_gigabytes
        yield "artefacts", "s3.storage", self._assumed.artefact_gigabytes
        yield "one build of the container", "codebuild.minutes", self._assumed.build_minutes

    def _monitor(self) -> Iterator[tuple[str, str, float]]:
        assumed, arm = self._assumed, self._text("FunctionArchitecture")
        files = min(self._captured * self._pictures / self._runs, assumed.monitor_files)
        seconds = assumed.monitor_seconds + files * assumed.monitor_file_seconds
        yield "monitor: schedule", "events.schedules", self._runs
        yield "monitor: function, calls", f"lambda.requests.{arm}", self._runs
        yield "monitor: function, time", f"lambda.duration.{arm}", self._runs * seconds * MONITOR_MEMORY / 1024
        yield "monitor: lists and its record", "s3.put", self._runs * 5
        yield "monitor: capture and records read", "s3.get", self._runs * (files + 3)

    def traffic(self) -> Iterator[tuple[str, str, float]]:
        """What grows with the pictures."""
        yield from self._storage()
        yield from self._functions()
        yield from self._machines()
        if self._serverless:
            memory = f"{self._number('ServerlessMemory'):.0f}"
            yield "endpoint: time", f"sagemaker.serverless.{memory}", self._pictures * self._assumed.serverless_seconds
        yield "endpoint: pictures in", "sagemaker.data", self._pictures * self._assumed.sent_bytes / _GB
        yield from self._seen()

    def _storage(self) -> Iterator[tuple[str, str, float]]:
        assumed, pictures, captured = self._assumed, self._pictures, self._captured
        # each driver's order was looked up and created when it was added, and is deleted when it is given away
        orders = sum(share * one.functions.count("route_driver") for share, one in self._ways)
        written = 1 + captured + orders + sum(share * one.requests.put for share, one in self._ways)  # 1: the arrival
        lists = sum(share * one.requests.list for share, one in self._ways)
        read = orders + sum(share * one.requests.get for share, one in self._ways)
        yield "S3: objects written", "s3.put", pictures * written
        yield "S3: lists", "s3.put", pictures * lists
        yield "S3: objects read", "s3.get", pictures * read
        # the bucket tells of everything in it, not of arrivals alone
        events = written + (1 + captured + orders) * assumed.deletion_events
        yield "S3: events of the bucket, deletions too", "events.s3", pictures * events
        # a deleted object is kept a week more as an old version
        picture_months = (self._number("PictureDays") + 7) / DAYS
        capture_months = (self._number("CaptureDays") + 7) / DAYS
        yield "S3: pictures kept", "s3.storage", pictures * assumed.picture_bytes / _GB * picture_months
        line = assumed.sent_bytes * 4 / 3
        yield "S3: capture kept", "s3.storage", pictures * self._capture * line / _GB * capture_months
        kept = pictures * assumed.record_bytes / _GB * assumed.record_days / DAYS
        yield "S3: records kept", "s3.storage", kept

    def _functions(self) -> Iterator[tuple[str, str, float]]:
        arm = self._text("FunctionArchitecture")
        calls = sum(share * len(one.functions) for share, one in self._ways)
        time = sum(
            share * self._seconds(name) * MEMORY[name] / 1024 for share, one in self._ways for name in one.functions
        )
        yield "functions: calls", f"lambda.requests.{arm}", self._pictures * calls
        yield "functions: time", f"lambda.duration.{arm}", self._pictures * time

    def _seconds(self, function: str) -> float:
        seconds: float = getattr(self._assumed, f"{function.partition('_')[0]}_seconds")
        return seconds

    def _machines(self) -> Iterator[tuple[str, str, float]]:
        if self._text("ClassifyType") == "EXPRESS":
            yield "workflow: Express executions", "states.express.requests", self._pictures
            seconds = sum(share * self._express_seconds(one) for share, one in self._classify)
            gigabytes = ceil(self._assumed.express_megabytes / 64) * 64 / 1024
            yield "workflow: Express time", "states.express.duration", self._pictures * seconds * gigabytes
        else:
            states = sum(share * len(one.states) for share, one in self._classify)
            yield "workflow: states, Standard", "states.transitions", self._pictures * states
        states = sum(share * len(one.states) for share, one in self._review)
        yield "reviews: states, Standard", "states.transitions", self._pictures * states

    def _express_seconds(self, one: Way) -> float:
        """AWS counts by tenths of a second."""
        seconds = sum(map(self._seconds, one.functions)) + len(one.states) * self._assumed.state_seconds
        return ceil(10 * round(seconds, 6)) / 10

    def _seen(self) -> Iterator[tuple[str, str, float]]:
        """Logs, traces, messages."""
        assumed, pictures, unsure = self._assumed, self._pictures, self._assumed.unsure_share
        logs = pictures * (assumed.log_bytes * (1 - unsure) + assumed.unsure_log_bytes * unsure) / _GB
        yield "logs taken in", "cloudwatch.logs", logs
        yield "logs kept", "cloudwatch.logs.storage", logs * self._number("LogDays") / DAYS
        traced = min(self._rate, assumed.traced_a_second)
        traced += (self._rate - traced) * assumed.traced_share
        yield "traces", "xray.traces", pictures * traced / self._rate
        messages = pictures * sum(share * one.messages for share, one in self._ways)
        yield "messages to people", "sns.requests", messages
        if self._text("AlertEmail"):
            yield "e-mails to people", "sns.mail", messages
