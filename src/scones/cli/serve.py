"""``scones serve``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from scones.cli._common import BucketOption, EndpointOption, JsonOption, StoreOption, TaskOption, console

if TYPE_CHECKING:
    from scones.serving.plan import Plan
    from scones.settings import Settings


def serve(
    task: TaskOption = None,
    store: StoreOption = None,
    bucket: BucketOption = None,
    model: Annotated[
        str | None,
        typer.Option(metavar="MODEL", help="A version or alias, or path of a model.tar.gz or its folder  [production]"),
    ] = None,
    model_dir: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER", help="As --model, when SageMaker laid it there; /opt/ml/model is found by itself"
        ),
    ] = None,
    host: Annotated[
        str | None,
        typer.Option(metavar="ADDRESS", help="Who can reach it: 0.0.0.0 is everyone  [127.0.0.1: this machine]"),
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(min=0, max=65535, help="0 takes a free one  [$SAGEMAKER_BIND_TO_PORT, else 8080]"),
    ] = None,
    endpoint: EndpointOption = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Processes that classify  [one for each core]")] = None,
    max_queue: Annotated[int, typer.Option(min=1, help="Requests inside a process at once; one more gets a 503")] = 40,
    no_capture: Annotated[bool, typer.Option("--no-capture", help="Do not record requests and answers")] = False,
    capture_prefix: Annotated[
        str | None, typer.Option(metavar="PREFIX", help="Where in the bucket they are recorded  [capture]")
    ] = None,
    capture_sample: Annotated[
        float, typer.Option(min=0, max=1, metavar="SHARE", help="Record this share of them, chosen by inference id")
    ] = 1,
    capture_fsync: Annotated[
        bool, typer.Option("--capture-fsync", help="Wait for the disk after each file: it outlives a power cut")
    ] = False,
    access_log: Annotated[bool, typer.Option("--access-log", help="Log each request, a line of JSON")] = False,
    as_json: JsonOption = False,
) -> None:
    """Serve a task's model as an endpoint that speaks SageMaker's container contract and its runtime path.

    It serves the task's model in production (`scones promote` puts it there), and goes on to the next one by itself
    when that changes, without a request lost; or the one given with `--model`. SIGTERM or Ctrl+C ends it: requests
    inside are answered and records written first.

    Ask it with a picture; the answer is a probability for each label, the header tells labels and threshold:

        curl -i --data-binary @picture.png -H 'Content-Type: image/png' http://127.0.0.1:8080/invocations

    Or with boto3, unmodified: `AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME=http://127.0.0.1:8080`.

    With `--json`, one line on stdout says when it is ready, and where.
    """
    from scones.errors import SettingsError
    from scones.listening import listening_url
    from scones.machine import available_cores
    from scones.serving.model import SAGEMAKER_MODEL_DIR, holds_model
    from scones.serving.processes import Processes, bind_all
    from scones.serving.tracing import traces_wanted

    if model is not None and model_dir is not None:
        raise SettingsError("--model and --model-dir both name the model: give one of them")
    traces = traces_wanted(os.environ)
    in_container = not (model or model_dir) and holds_model(SAGEMAKER_MODEL_DIR)
    ref = SAGEMAKER_MODEL_DIR if in_container else model_dir or model or "production"
    _set_up_logs(access_log=access_log)

    host = host or ("0.0.0.0" if in_container else "127.0.0.1")  # noqa: S104 - SageMaker asks from outside the container
    listeners = bind_all(host, _sagemakers_port() if port is None else port, workers or available_cores())
    url = listening_url(listeners[0])
    with Processes(listeners) as processes:
        # what takes long, while they get ready; the store is for this process alone: who has used it may fork no more
        from scones.layout import Layout
        from scones.serving.follower import Follower
        from scones.serving.root import give_up_root
        from scones.serving.terms import CaptureAt, Setup, Terms
        from scones.settings import Settings
        from scones.store import open_bucket
        from scones.task import load_task

        settings = Settings.load(task=task, store=store, bucket=bucket, endpoint=endpoint)
        terms = Terms(settings.endpoint, max_queue=max_queue, access_log=access_log)
        capture = None
        if not (no_capture or in_container):  # there SageMaker itself captures, and there is no store of ours
            prefix = capture_prefix or Layout.CAPTURE
            capture = CaptureAt(settings.store, settings.bucket, prefix, capture_sample, capture_fsync)
        follower, named = None, load_task(settings.task).name
        if ref == "production":
            follower = Follower(open_bucket(settings.store, settings.bucket), named, settings.endpoint)
            plan = follower.begin()
        else:
            plan = _only(ref, named, settings)
        if in_container:  # all is read that root alone may be able to read
            give_up_root()
        if not processes.start(Setup(terms, capture, become_nobody=in_container, traces=traces), plan):
            return
        _say_ready(url, settings.endpoint, plan, as_json=as_json)
        if follower is not None:
            follower.outcome(plan, None)
            follower.follow(processes.serve, processes.row)
        processes.run(follower.outcome if follower else lambda *_: None)


def _set_up_logs(*, access_log: bool) -> None:
    import logging

    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    if access_log:  # JSON alone, as what collects logs expects it
        logger, lines = logging.getLogger("scones.serving.access"), logging.StreamHandler()
        lines.setFormatter(logging.Formatter("%(message)s"))
        logger.addHandler(lines)
        logger.setLevel(logging.INFO)
        logger.propagate = False


def _only(ref: Path | str, task: str, settings: Settings) -> Plan:
    """The plan of a model that was named: it alone answers, whatever is in production."""
    from scones.registry.bundles import find_bundle
    from scones.serving.plan import Plan, Post
    from scones.store import open_bucket

    found = find_bundle(ref, task, lambda: open_bucket(settings.store, settings.bucket))
    post = Post(found.info.version, found.threshold)
    return Plan(post, bundles={post.version: (found.info, found.model)})


def _sagemakers_port() -> int:
    from scones.errors import SettingsError

    text = os.environ.get("SAGEMAKER_BIND_TO_PORT", "8080")
    if not (text.isascii() and text.isdecimal() and int(text) <= 65535):
        raise SettingsError(f"SAGEMAKER_BIND_TO_PORT={text!r} is no port: use a number from 0 to 65535")
    return int(text)


def _say_ready(url: str, endpoint: str, plan: Plan, *, as_json: bool) -> None:
    import json
    import sys

    post = plan.production
    labels = plan.bundles[post.version][0].labels
    if as_json:
        ready = {
            "url": url,
            "endpoint": endpoint,
            "model_version": post.version,
            "threshold": post.threshold,
            "pid": os.getpid(),
        }
        sys.stdout.write(json.dumps(ready) + "\n")
        sys.stdout.flush()
        return
    console().print(
        f"endpoint [bold]{endpoint}[/] answers at [bold]{url}[/] with model {post.version} "
        f"({', '.join(labels)}; threshold {post.threshold:.4f})\n"
        f"curl -i --data-binary @picture.png -H 'Content-Type: image/png' {url}/invocations",
        soft_wrap=True,
    )
