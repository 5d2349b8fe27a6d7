"""Traces of the endpoint: a span for each request to classify, and one for each stage that it went through.

OpenTelemetry's SDK, of the extra ``tracing``, samples, keeps and sends them, as its variables say. On a request's way
times alone are noted: spans are made when it has its answer, and dropped where the collector is too slow.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPMethod
from typing import TYPE_CHECKING, Any, Final

import scones
from scones.errors import SettingsError

if TYPE_CHECKING:
    from scones.serving.lineup import Slot
    from scones.serving.logbook import Answered

__all__ = ["Trace", "Tracing", "traces_wanted"]

_QUIET: Final = 60.0  # seconds between two complaints of the SDK in the log
_log = logging.getLogger(__name__)


def traces_wanted(environ: Mapping[str, str]) -> bool:
    """Whether OpenTelemetry's own variables ask for traces.

    Raises:
        SettingsError: they do, and the extra is not installed; or in a protocol that is not spoken here; or with a
            queue of spans that cannot be.
    """

    def said(*names: str) -> str:  # what is empty is not set, by OpenTelemetry's rules
        return next((text for name in names if (text := environ.get(name, "").strip())), "")

    endpoint = said("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
    exporters = said("OTEL_TRACES_EXPORTER") or (endpoint and "otlp")
    if "otlp" not in map(str.strip, exporters.split(",")) or said("OTEL_SDK_DISABLED").lower() == "true":
        return False
    protocol = said("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
    if protocol not in ("", "http/protobuf"):
        raise SettingsError(f"OTLP as {protocol!r} is not spoken: set OTEL_EXPORTER_OTLP_TRACES_PROTOCOL=http/protobuf")
    together, kept, pause = (
        _whole(said(f"OTEL_BSP_{name}"), default)
        for name, default in (("MAX_EXPORT_BATCH_SIZE", 512), ("MAX_QUEUE_SIZE", 2048), ("SCHEDULE_DELAY", 5000))
    )
    if not (0 < together <= kept and pause > 0):
        raise SettingsError(
            f"{together} spans are to be sent together each {pause} ms, and {kept} are kept: set "
            "OTEL_BSP_MAX_EXPORT_BATCH_SIZE to at least 1 and at most OTEL_BSP_MAX_QUEUE_SIZE, and "
            "OTEL_BSP_SCHEDULE_DELAY to at least 1"
        )
    try:
        import opentelemetry.exporter.otlp.proto.http  # noqa: F401
    except ImportError as error:
        message = f"traces, which OTEL_ variables ask for, need more ({error}): pip install 'scones[tracing]'"
        raise SettingsError(f"{message}, or set OTEL_TRACES_EXPORTER=none") from error
    return True


def _whole(text: str, default: int) -> int:
    """As OpenTelemetry reads a number."""
    try:
        return int(text)
    except ValueError:
        return default


@dataclass(slots=True, eq=False)
class Trace:
    """What is noted of a request on its way.

    Attributes:
        slot, batch: who answers it, and the number of pictures inferred at once; None before.
        stages: by name, when each began and ended, by ``time.perf_counter``; None: as the request ends.
    """

    slot: Slot | None = None
    batch: int | None = None
    stages: dict[str, tuple[float, float | None]] = field(default_factory=dict)


class Tracing:
    """Makes an endpoint's spans and sends them from a thread. The service has its name, or the environment's for it."""

    def __init__(self, endpoint: str) -> None:
        from opentelemetry import trace
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import SERVICE_NAME, OTELResourceDetector, Resource
        from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        logger = logging.getLogger("opentelemetry")
        logger.handlers, logger.propagate = [_Seldom(logging.WARNING)], False
        name = OTELResourceDetector().detect().attributes.get(SERVICE_NAME, endpoint)
        self._provider = TracerProvider(resource=Resource.create({SERVICE_NAME: name}), shutdown_on_exit=False)
        self._exporter = OTLPSpanExporter()
        self._processor = BatchSpanProcessor(self._exporter)
        self._provider.add_span_processor(self._processor)
        self._tracer = self._provider.get_tracer("scones.serving", scones.__version__)
        self._extract = TraceContextTextMapPropagator().extract
        self._api, self._finished = trace, ReadableSpan

    def tell(self, answered: Answered) -> None:
        """Make the spans of a request that has ended."""
        head, slot = answered.head, answered.slot
        route = head.path if head.path == "/invocations" else "/endpoints/{name}/invocations"
        method = head.method if head.method in HTTPMethod.__members__ else "HTTP"  # both as the conventions say
        attributes: dict[str, str | int | None] = {
            "http.request.method": "_OTHER" if method == "HTTP" else method,
            "http.response.status_code": answered.told,
            "http.route": route,
            "network.protocol.version": head.version,
            "url.path": head.path[:200],
            "url.scheme": "http",
            "error.type": str(answered.status) if answered.status >= 500 else None,
            "scones.batch_size": answered.batch,
            "scones.inference_id": answered.inference_id,
            "scones.model_version": None if slot is None else slot.version,
            "scones.variant": None if slot is None else slot.variant,
        }
        known = {name: value for name, value in attributes.items() if value is not None}
        parent = self._extract(head.headers) if "traceparent" in head.headers else None
        begun = answered.wall - round(answered.took * 1e9)
        span = self._tracer.start_span(f"{method} {route}", parent, self._api.SpanKind.SERVER, known, (), begun)
        if not span.is_recording():
            return
        ended = answered.clock
        for name, (start, end) in answered.stages.items():
            at, until = (answered.wall - round((ended - when) * 1e9) for when in (start, ended if end is None else end))
            self._processor.on_end(self._stage(name, span, start_time=at, end_time=until))
        if answered.status >= 500:
            span.set_status(self._api.StatusCode.ERROR)
        span.end(answered.wall)

    def _stage(self, name: str, within: Any, **times: int) -> Any:
        """A finished span. A tracer would ask the sampler once more, and take six times as long."""
        over, own = within.get_span_context(), self._provider.id_generator.generate_span_id()
        context = self._api.SpanContext(over.trace_id, own, False, over.trace_flags, over.trace_state)  # noqa: FBT003
        scope = within.instrumentation_scope
        return self._finished(name, context, over, resource=within.resource, instrumentation_scope=scope, **times)

    def close(self, seconds: float) -> None:
        """Send what is left, for so many seconds at most; what is not sent by then is dropped."""
        ending = threading.Thread(target=self._provider.shutdown, name="traces", daemon=True)
        ending.start()
        ending.join(seconds)
        if ending.is_alive():
            self._exporter.shutdown()  # it tries no more


class _Seldom(logging.Handler):
    """Says what the SDK complains of, and then nothing for a while: callers and collectors cause too much of it."""

    _next = 0.0

    def emit(self, record: logging.LogRecord) -> None:
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + _QUIET
            _log.warning("traces: %.500s (others are not told for %g seconds)", record.getMessage(), _QUIET)
