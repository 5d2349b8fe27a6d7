"""``scones serve``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from scones.cli._common import BucketOption, EndpointOption, JsonOption, StoreOption, TaskOption, console

if TYPE_CHECKING:
    from scones.store import Bucket


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
    workers: Annotated[int | None, typer.Option(min=1, help="Threads that classify  [one for each core]")] = None,
    max_queue: Annotated[int, typer.Option(min=1, help="Requests inside at once; one more gets a 503")] = 64,
    no_capture: Annotated[bool, typer.Option("--no-capture", help="Do not record requests and answers")] = False,
    capture_prefix: Annotated[
        str | None, typer.Option(metavar="PREFIX", help="Where in the bucket they are recorded  [capture]")
    ] = None,
    access_log: Annotated[bool, typer.Option("--access-log", help="Log each request as a line of JSON")] = False,
    as_json: JsonOption = False,
) -> None:
    """Serve a task's model as an endpoint that speaks SageMaker's container contract and its runtime path.

    It serves the task's model in production (`scones promote` puts it there), or the one given with
    `--model`. SIGTERM or Ctrl+C ends it: requests inside are answered and records written first.

    Ask it with a picture; the answer is a probability for each label, the header tells labels and threshold:

        curl -i --data-binary @picture.png -H 'Content-Type: image/png' http://127.0.0.1:8080/invocations

    Or with boto3, unmodified: `AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME=http://127.0.0.1:8080`.

    With `--json`, one line on stdout says when it is ready, and where.
    """
    import json
    import logging
    import os
    import sys
    import threading
    from contextlib import nullcontext

    from scones.errors import SettingsError
    from scones.registry import PRODUCTION, load_decider
    from scones.serving import (
        SAGEMAKER_MODEL_DIR,
        VARIANT,
        CaptureWriter,
        bind,
        build_app,
        give_up_root,
        holds_model,
        listening_url,
        run_server,
    )
    from scones.settings import Settings
    from scones.store import Layout, open_bucket
    from scones.task import load_task

    if model is not None and model_dir is not None:
        raise SettingsError("--model and --model-dir both name the model: give one of them")
    settings = Settings.load(task=task, store=store, bucket=bucket, endpoint=endpoint)
    in_container = not (model or model_dir) and holds_model(SAGEMAKER_MODEL_DIR)
    ref = SAGEMAKER_MODEL_DIR if in_container else model_dir or model or PRODUCTION
    if port is None:
        text = os.environ.get("SAGEMAKER_BIND_TO_PORT", "8080")
        if not (text.isascii() and text.isdecimal() and int(text) <= 65535):
            raise SettingsError(f"SAGEMAKER_BIND_TO_PORT={text!r} is no port: use a number from 0 to 65535")
        port = int(text)

    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    if access_log:
        logging.getLogger("scones.serving.access").setLevel(logging.INFO)

    with bind(host or ("0.0.0.0" if in_container else "127.0.0.1"), port) as listener:  # noqa: S104 - SageMaker asks from outside the container

        def place() -> Bucket:
            return open_bucket(settings.store, settings.bucket)

        # in the container SageMaker itself captures, and there is no store of ours
        captures = not (no_capture or in_container)
        served = load_decider(ref, load_task(settings.task).name, place)
        info = served.classifier.info
        writer = None
        if captures:
            writer = CaptureWriter(place(), capture_prefix or Layout.CAPTURE, settings.endpoint, VARIANT)
        with writer or nullcontext():
            app = build_app(
                served.classifier,
                endpoint=settings.endpoint,
                threshold=served.threshold,
                capture=writer,
                workers=workers,
                max_queue=max_queue,
                access_log=access_log,
            )
            url = listening_url(listener)
            if in_container:
                give_up_root()

            def on_ready() -> None:
                if as_json:
                    ready = {
                        "url": url,
                        "endpoint": settings.endpoint,
                        "model_version": info.version,
                        "threshold": served.threshold,
                        "pid": os.getpid(),
                    }
                    sys.stdout.write(json.dumps(ready) + "\n")
                    sys.stdout.flush()
                else:
                    console().print(
                        f"endpoint [bold]{settings.endpoint}[/] answers at [bold]{url}[/] with model {info.version} "
                        f"({', '.join(info.labels)}; threshold {served.threshold:.4f})\n"
                        f"curl -i --data-binary @picture.png -H 'Content-Type: image/png' {url}/invocations",
                        soft_wrap=True,
                    )

            run_server(app, listener, capture=writer, on_ready=on_ready)
    if any(thread.name.startswith("classify") for thread in threading.enumerate()):
        # a picture is still being computed for nobody, and Python would wait for it beyond SageMaker's 30 s
        sys.stderr.flush()
        os._exit(0)
