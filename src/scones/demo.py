"""The whole journey in one process tree: stage, train, evaluate, serve, dispatch, monitor."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any

from scones.errors import DownloadFailed, EndpointError, SourceMissing, StoreError
from scones.settings import Settings
from scones.staging.pipeline import CACHE
from scones.store import Bucket, Layout, disk_error, open_bucket
from scones.task import Task, load_task

if TYPE_CHECKING:
    from types import FrameType

    from scones.drift_episode import DriftSeen
    from scones.staging import Dataset

__all__ = ["DemoResult", "demo_files", "remove_demo", "run_demo"]

ROOT = Path(".scones")
HOME = ROOT / "demo"
_MARK = "made-by-scones-demo"
_SEED = 0
_CONCURRENCY = 8
_PATIENCE = 60.0  # seconds


@dataclass
class DemoResult:
    """What a demo run showed.

    Attributes:
        data: "cifar100" or "synthetic".
        test_images: pictures sent as arrivals.
        accuracy: on the test pictures, 0 to 1; ``ece`` its expected calibration error.
        executions: how many ended as succeeded, review and failed.
        orders_claimed: orders that drivers were given.
        capture_records: inferences of the workflow that were read back from the capture.
        drift: what the monitor said when pictures in fog came, see :class:`scones.drift_episode.DriftSeen`.
        report, evaluation_report: paths of the pages.
        seconds: wall time of the whole.
        details: more figures for the summary; not part of the JSON.
    """

    data: str
    test_images: int
    accuracy: float
    ece: float
    executions: dict[str, int]
    orders_claimed: int
    capture_records: int
    drift: dict[str, Any]
    report: str
    evaluation_report: str
    seconds: float
    details: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The object that ``scones demo --json`` prints."""
        return {name: value for name, value in vars(self).items() if name != "details"}


class Reporter:
    """Told how the demo gets on. This one says nothing; the command line shows it to people."""

    @contextmanager
    def step(self, name: str) -> Iterator[Callable[[str], None]]:  # noqa: ARG002 - for those who show it
        """A step begins; call what it yields with what came of it."""
        yield lambda _: None

    def advance(self, done: int, total: int) -> None:
        """Progress within a step."""

    def say(self, text: str) -> None:
        """A line that matters."""


def run_demo(archive: Path | None, reporter: Reporter | None = None) -> DemoResult:
    """Run the whole journey under ``.scones/demo`` in the working directory; what was there is removed first.

    Args:
        archive: CIFAR-100's python archive; None downloads it, or offline draws pictures instead.
        reporter: told how it gets on.

    Raises:
        SconesError: whatever a step raises.
    """
    if archive is not None and not archive.is_file():  # before what an earlier run made is removed
        raise SourceMissing(f"no archive at {archive}: give the path of cifar-100-python.tar.gz with --archive")
    with _alone():
        _start_clean()
        return _run(archive, reporter or Reporter())


def _run(archive: Path | None, told: Reporter) -> DemoResult:
    from scones.registry import register
    from scones.training import evaluate, load_backbone, save_evaluation, train

    started = time.monotonic()
    task = load_task("vehicles")
    base = Settings.load(
        environ={}, file=None, store=str(HOME.absolute() / "store"), journal=HOME.absolute() / "journal.sqlite"
    )
    bucket = open_bucket(base.store, base.bucket)

    with told.step("stage the data and check it") as done:
        dataset = _stage(bucket, task, archive, told)
        data = dataset.source["kind"]
        counts = {split: sum(labels.values()) for split, labels in dataset.counts().items()}
        done(", ".join(f"{count:,} {split}" for split, count in counts.items()) + f" pictures ({data})")
    with told.step("train and calibrate") as done:
        now = datetime.now(UTC)
        info, model = train(dataset, task, load_backbone("small"), seed=_SEED, now=now)
        register(bucket, info, model, who="scones demo", now=now)
        done(f"model {info.version}; threshold {info.threshold.value:.4f} ({info.threshold.origin})")
    with told.step("evaluate on pictures never seen") as done:
        from scones.classifier import Classifier

        classifier = Classifier(info, model, threads=2)
        figures = evaluate(classifier, dataset, task, report=lambda _, so_far, total: told.advance(so_far, total))
        page = save_evaluation(bucket, figures, dataset)
        low, high = figures["accuracy_interval"]
        done(f"accuracy {figures['accuracy']:.1%} ({low:.1%} to {high:.1%}); calibration error {figures['ece']:.3f}")
    with told.step("serve the endpoint") as done, _endpoint(base) as (settings, stop_endpoint):
        done(f"{settings.endpoint_url}, process {stop_endpoint.pid}")
        with told.step("send every test picture through the workflow") as routed:
            flow = _dispatch(bucket, dataset, settings, counts["test"], told)
            routed(", ".join(f"{count} {word}" for word, count in flow["outcomes"].most_common()))
    with told.step("send pictures in fog, and see what the monitor says") as done:
        seen = _drift(bucket, dataset, base, told)
        told_in = "no alarm" if seen.pictures_to_alarm is None else f"an alarm after {seen.pictures_to_alarm} of them"
        done(f"none on {seen.healthy_pictures} pictures before; {told_in} ({', '.join(seen.channels[:3])})")
    ended = flow["outcomes"]
    review, failed = ended["review"], ended["failed"]
    return DemoResult(
        data=data,
        test_images=counts["test"],
        accuracy=figures["accuracy"],
        ece=figures["ece"],
        executions={"succeeded": sum(ended.values()) - review - failed, "review": review, "failed": failed},
        orders_claimed=flow["orders_claimed"],
        capture_records=seen.healthy_pictures,
        drift=seen.to_json(),
        report=bucket.url(seen.report),
        evaluation_report=bucket.url(page),
        seconds=round(time.monotonic() - started, 1),
        details={
            "store": bucket.url(),
            "journal": str(base.journal),
            "decided_right": flow["decided_right"],
            "outcomes": dict(ended),
            "threshold": info.threshold.note,
            "failure": flow["failure"],
        },
    )


def _stage(bucket: Bucket, task: Task, archive: Path | None, told: Reporter) -> Dataset:
    """Stage CIFAR-100 when it can be had, else pictures that the project draws."""
    from scones.staging import open_source, write_dataset

    def progress(what: str, done: int, total: int) -> None:  # noqa: ARG001 - the step says what
        told.advance(done, total)

    try:
        if archive is None and not CACHE.exists():  # first, so that an interrupted download is the demo's too
            CACHE.mkdir(parents=True)
            (CACHE / _MARK).write_text("`scones clean` removes this folder.\n")
        source = open_source("cifar100", task, archive=archive, cache=CACHE, progress=progress)
    except DownloadFailed as error:
        told.say(f"no CIFAR-100: {error}. Going on with pictures that Scones draws itself.")
        source = open_source("synthetic", task, seed=_SEED)
    return write_dataset(bucket, task, source.pictures, source=source.record, progress=progress)


@contextmanager
def _endpoint(settings: Settings) -> Iterator[tuple[Settings, subprocess.Popen[str]]]:
    """Run `scones serve` as a child process; at the end it drains, and its capture is complete."""
    command = [
        sys.executable, "-m", "scones", "serve", "--json", "--port", "0", "--max-queue", "64", "--task", "vehicles",
        "--store", settings.store, "--bucket", settings.bucket, "--endpoint", settings.endpoint,
    ]  # fmt: skip
    # nothing of the caller's own AWS or Scones settings is meant for this endpoint
    environ = {
        name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "SCONES_", "SAGEMAKER_"))
    }
    if "PYTHONPATH" in os.environ:  # may be relative, and the child works in another folder
        paths = os.environ["PYTHONPATH"].split(os.pathsep)
        environ["PYTHONPATH"] = os.pathsep.join(str(Path(path).absolute()) for path in paths)
    log = HOME / "serve.log"
    with (
        log.open("w") as errors,
        _sigterm_later() as heed_sigterm,
        # in a folder of its own: no scones.toml and no module of the caller's lies there
        subprocess.Popen(command, cwd=HOME, stdout=subprocess.PIPE, stderr=errors, text=True, env=environ) as child,
    ):
        try:
            heed_sigterm()
            assert child.stdout is not None  # asked for above
            line = child.stdout.readline()
            if not line:
                raise EndpointError(f"the endpoint did not start: {_last_line(log)} (all of it: {log})")
            yield settings.model_copy(update={"endpoint_url": json.loads(line)["url"]}), child
        finally:
            child.terminate()
            try:
                child.wait(timeout=30)
            except subprocess.TimeoutExpired:
                child.kill()


@contextmanager
def _sigterm_later() -> Iterator[Callable[[], None]]:
    """Keep a SIGTERM until what is yielded is called: one that came while a child starts would orphan it."""
    came: list[tuple[int, FrameType | None]] = []
    handler = signal.getsignal(signal.SIGTERM)
    if not callable(handler) or threading.current_thread() is not threading.main_thread():
        yield lambda: None
        return

    def heed() -> None:
        signal.signal(signal.SIGTERM, handler)
        if came:
            handler(*came.pop())

    signal.signal(signal.SIGTERM, lambda number, frame: came.append((number, frame)))
    try:
        yield heed
    finally:
        heed()


def _last_line(log: Path) -> str:
    lines = log.read_text(errors="replace").strip().splitlines()
    return lines[-1] if lines else "it said nothing"


def _dispatch(bucket: Bucket, dataset: Dataset, settings: Settings, count: int, told: Reporter) -> dict[str, Any]:
    """Send the test pictures as arrivals and work them."""
    from scones.dispatch import add_orders, sample_orders
    from scones.workflow.application import open_engine
    from scones.workflow.arrivals import MACHINE, ends_arrival, find_arrivals, outcomes, start_arrival
    from scones.workflow.engine import Event
    from scones.workflow.generator import Sender, pictures_to_send, send_all
    from scones.workflow.reviews import has_asked
    from scones.workflow.schedule import Schedule
    from scones.workflow.traffic import Traffic, plan

    add_orders(bucket, settings.depot, sample_orders(count * 3 // 2, seed=_SEED))
    stop, truth = threading.Event(), dict[str, str]()
    sender = Sender(bucket, dataset, "vehicles", settings.depot, "demo", _SEED, time.monotonic, stop.wait, time.time)
    planned = plan(pictures_to_send(dataset), Traffic(), Schedule(count=count).dues(), _SEED)
    send_all(
        sender,
        planned,
        told=lambda sent: truth.update({sent.arrival.arrival_id: sent.planned.line.label}),
        stop=stop,
    )
    finished: list[str] = []
    asked: SimpleQueue[str] = SimpleQueue()

    def watch(event: Event) -> None:
        if ends_arrival(event):
            finished.append(event.execution)
            told.advance(len(finished), count)
        elif has_asked(event):
            asked.put(event.execution)

    with open_engine(settings, concurrency=_CONCURRENCY, on_event=watch) as engine:
        names = [start_arrival(engine, bucket, key)[0] for key in find_arrivals(bucket)]
        ended = engine.wait(*names, machine=MACHINE)
        counts = outcomes(ended)
        # The reviews stay open, for a person; their records must be there before the engine stops.
        with suppress(Empty):
            for _ in range(counts["review"]):
                asked.get(timeout=_PATIENCE)
    routes = [execution.output for execution in ended if isinstance(execution.output, dict)]
    decided = [route for route in routes if route.get("outcome") in ("routed", "wait")]
    return {
        "outcomes": counts,
        "orders_claimed": len(list(bucket.list(Layout.order_claim(settings.depot)))),
        "decided_right": (sum(truth[str(r["arrival_id"])] == r["label"] for r in decided), len(decided)),
        "failure": next((e for e in ended if e.status != "SUCCEEDED"), None),
    }


def _drift(bucket: Bucket, dataset: Dataset, base: Settings, told: Reporter) -> DriftSeen:
    from scones.drift_episode import drift_episode

    @contextmanager
    def serve() -> Iterator[str]:
        with _endpoint(base) as (settings, _):
            yield str(settings.endpoint_url)

    return drift_episode(bucket, dataset, base, serve, lambda _, done, total: told.advance(done, total))


def demo_files() -> list[tuple[Path, int]]:
    """What the demo made: each file, with its bytes."""
    files = [path for root in _made() for path in sorted(root.rglob("*")) if path.is_file()]
    return [(path, path.stat().st_size) for path in files]


def remove_demo() -> None:
    """Remove what the demo made, and nothing else.

    Raises:
        StoreError: a demo is running, or something cannot be removed.
    """
    if not ROOT.is_dir():
        return
    with _alone():
        try:
            for root in _made():
                shutil.rmtree(root)
        except OSError as error:
            raise disk_error(f"cannot remove {error.filename}", error) from error
    with suppress(OSError):
        ROOT.rmdir()  # unless something else lies there


def _made() -> list[Path]:
    """The folders that the demo made: its own, and the cache when it was the one that downloaded."""
    return [folder for folder in (HOME, CACHE) if (folder / _MARK).is_file()]


def _start_clean() -> None:
    try:
        if HOME.exists() and any(HOME.iterdir()) and not (HOME / _MARK).is_file():
            raise StoreError(f"{HOME} was not made by the demo: move it away, or run the demo in another folder")
        if HOME.exists():
            shutil.rmtree(HOME)
        HOME.mkdir(parents=True)
        (HOME / _MARK).write_text("`scones clean` removes this folder.\n")
    except OSError as error:
        raise disk_error(f"cannot make {HOME.absolute()}", error) from error


@contextmanager
def _alone() -> Iterator[None]:
    """Let one demo at a time work in this folder: it holds a lock on ``.scones`` itself."""
    try:
        ROOT.mkdir(exist_ok=True)
        folder = os.open(ROOT, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise disk_error(f"cannot make {ROOT.absolute()}", error) from error
    try:
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StoreError(f"a demo runs in {Path.cwd()}: wait for its end, or work in another folder") from None
        yield
    finally:
        os.close(folder)
