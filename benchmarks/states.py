"""The states that take turns: nothing, one span with 25 attributes, touchdown with everything on.

They are made once and switched by putting their hooks on the SDKs' classes, so that nothing is set up or
closed between two samples; what is pending is delivered before the next one begins.
"""

import contextlib
import gc
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import anthropic
import openai
import wrapt
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

import touchdown

ATTRIBUTES = {f"benchmark.attribute.{n}": n for n in range(25)}
STATES = ("bare", "floor", "touchdown")
ENDPOINT = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"
Hooks = dict[tuple[type, str], Any]


class Discard(SpanExporter):
    """An exporter that lets spans go."""

    def export(self, spans: Any) -> SpanExportResult:
        """Nothing is sent."""
        return SpanExportResult.SUCCESS


def owners() -> list[type]:
    """The classes on which hooks are put."""
    found: list[type] = []
    for sdk in (openai, anthropic):
        base, streaming = sdk._base_client, sdk._streaming
        found += [base.BaseClient, base.SyncAPIClient, base.AsyncAPIClient]
        found += [streaming.Stream, streaming.AsyncStream]
    return found


def own_methods() -> Hooks:
    """What these classes define now."""
    return {
        (owner, name): value
        for owner in owners()
        for name, value in vars(owner).items()
        if callable(value)
    }


def floor_hooks(provider: TracerProvider) -> Hooks:
    """A hook on `request` that makes one span with 25 attributes and nothing else."""
    tracer = provider.get_tracer("floor")

    def hook(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
        with tracer.start_as_current_span("chat") as span:
            answer = wrapped(*args, **kwargs)
            span.set_attributes(ATTRIBUTES)
        return answer

    kinds = [openai._base_client.SyncAPIClient, anthropic._base_client.SyncAPIClient]
    return {(kind, "request"): wrapt.FunctionWrapper(vars(kind)["request"], hook) for kind in kinds}


@contextlib.contextmanager
def collector() -> Iterator[str]:
    """A collector in a process of its own that takes what is sent; its URL for traces."""
    listening = subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("sink.py"))],
        stdout=subprocess.PIPE,
        stdin=subprocess.PIPE,
        text=True,
    )
    assert listening.stdout is not None
    try:
        yield f"http://127.0.0.1:{listening.stdout.readline().strip()}/v1/traces"
    finally:
        listening.terminate()
        listening.wait()


class Switch:
    """Puts the hooks of one state on the SDKs' classes."""

    def __init__(self, hooks: dict[str, Hooks], settle: Callable[[], object]) -> None:
        self._hooks, self._settle = hooks, settle
        self._bare = hooks["bare"]

    def to(self, state: str) -> None:
        """From here on calls go by this state; what came before is delivered."""
        self._settle()
        for (owner, name), value in {**self._bare, **self._hooks[state]}.items():
            if vars(owner).get(name) is not value:
                setattr(owner, name, value)
        gc.collect()


@contextlib.contextmanager
def switch(*, everything: bool = True, host: bool = False) -> Iterator[Switch]:
    """The three states. With `everything`: journal, spans over OTLP to a collector, and a budget.

    `host`: these spans go through a provider of the host's.
    """
    bare = own_methods()
    with contextlib.ExitStack() as undo:
        floor_provider = TracerProvider(shutdown_on_exit=False)
        floor_provider.add_span_processor(BatchSpanProcessor(Discard()))
        undo.callback(floor_provider.shutdown)
        flushed = [floor_provider]
        hooks = {"bare": bare, "floor": floor_hooks(floor_provider)}
        options: dict[str, Any] = {}
        exporter: SpanExporter = Discard()
        if everything:
            url = os.environ[ENDPOINT] = undo.enter_context(collector())
            undo.callback(os.environ.pop, ENDPOINT)
            exporter = OTLPSpanExporter(url)
            folder = undo.enter_context(tempfile.TemporaryDirectory())
            options["journal"] = Path(folder) / "journal.jsonl"
        if host or not everything:
            options["tracer_provider"] = provider = TracerProvider(shutdown_on_exit=False)
            provider.add_span_processor(BatchSpanProcessor(exporter))
            undo.callback(provider.shutdown)
            flushed.append(provider)
        touchdown.instrument(integrations=False, **options)
        undo.callback(touchdown.uninstrument)
        now = own_methods()
        hooks["touchdown"] = {key: now[key] for key in now if now[key] is not bare.get(key)}
        budget = {"budget_usd": 1_000_000} if everything else {}
        undo.enter_context(touchdown.task("benchmark", **budget))

        def settle() -> None:
            touchdown.flush()
            for provider in flushed:
                provider.force_flush()

        switching = Switch(hooks, settle)
        undo.callback(switching.to, "touchdown")
        yield switching
