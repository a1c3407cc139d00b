"""Records as metrics: the conventions' ones, and what tasks cost. All behind the queue, on one thread."""

from collections.abc import Callable, Mapping

from opentelemetry.context import Context
from opentelemetry.metrics import Meter
from opentelemetry.trace import Span, set_span_in_context
from opentelemetry.util.types import AttributeValue

from touchdown.records import AgentRun, CallVerdict, ModelCall, Record, TaskRecord, ToolCall, Usage
from touchdown.telemetry import attributes as names
from touchdown.telemetry import metric_names
from touchdown.telemetry.instruments import Instruments, make_instruments
from touchdown.telemetry.model_call import call_start_attributes
from touchdown.telemetry.outcome import duration_s, error_type
from touchdown.telemetry.recent import Recent

Labels = dict[str, AttributeValue]
MOST_TASK_NAMES = 100
"""Task names that become a label of their own; later ones share `OTHER_NAME`."""
OTHER_NAME = "_OTHER"
EMBEDDINGS = "embeddings"

_MOST_AGENTS = 10_000
_TAX_BEFORE, _, _TAX_AFTER = names.TASK_TAX_USD.partition("{tax}")


Lost = Callable[[], Mapping[str, int]]
"""How much of each kind was lost so far."""


def nothing_lost() -> Mapping[str, int]:
    """Nobody counts it."""
    return {}


class Metrics:
    """Records measurements on the meter of the moment; without one, nothing is measured."""

    def __init__(
        self,
        current_meter: Callable[[], Meter | None],
        tasks: Recent[TaskRecord],
        tags: tuple[str, ...],
        lost: Lost = nothing_lost,
    ) -> None:
        self._current_meter = current_meter
        self._tasks = tasks
        self._tags = tags
        self._lost = lost
        self._told_lost: dict[str, int] = {}
        self._instruments: Instruments | None = None
        self._task_names: set[str] = set()
        self._calls: Recent[tuple[int, int]] = Recent(_MOST_AGENTS)

    def record(
        self,
        record: Record,
        verdict: CallVerdict | None,
        settled: Mapping[str, AttributeValue],
        span: Span,
    ) -> None:
        """Measure what `record` says."""
        meter = self._current_meter()
        if meter is None:
            return
        to = self._instruments
        if to is None or to.meter is not meter:
            to = self._instruments = make_instruments(meter)
        context = set_span_in_context(span, Context())
        if isinstance(record, ModelCall):
            self._count(record.agent_id, calls=1)
            self._model_call(to, record, verdict, context)
        elif isinstance(record, ToolCall):
            self._count(record.agent_id, tools=1)
            _tool_call(to, record, context)
        elif isinstance(record, AgentRun):
            self._agent(to, record, record.name, context)
        else:
            if not record.implicit:
                self._agent(to, record, self._bounded(record.name), context)
            if not record.parent_id:
                self._task(to, record, settled)
        for kind, count in self._lost().items():
            news = count - self._told_lost.get(kind, 0)
            if news > 0:
                self._told_lost[kind] = count
                to.dropped.add(news, {metric_names.DROPPED_KIND: kind})

    def _count(self, agent_id: str, calls: int = 0, tools: int = 0) -> None:
        before = self._calls.get(agent_id) or (0, 0)
        self._calls.put(agent_id, (before[0] + calls, before[1] + tools))

    def _model_call(
        self, to: Instruments, call: ModelCall, verdict: CallVerdict | None, context: Context
    ) -> None:
        labels: Labels = call_start_attributes(
            call.operation, call.provider, call.model, call.host, call.port
        )
        if call.response_model:
            labels[names.RESPONSE_MODEL] = call.response_model
        if verdict is not None and verdict.cost is not None:
            task = self._tasks.get(call.task_id)
            paid = {**labels, **(self._task_labels(task) if task is not None else {})}
            to.cost.add(float(verdict.cost.total), paid, context=context)
        if verdict is not None:
            _cache(to, verdict, labels, context)
        wrong = error_type(call)
        ended = labels if wrong is None else {**labels, names.ERROR_TYPE: wrong}
        seconds = call.duration_ns / 1e9
        if call.operation == EMBEDDINGS:
            to.operation_s.record(seconds, ended, context=context)
            return
        to.inference_s.record(seconds, ended, context=context)
        if call.stream and call.first_chunk_ns is not None:
            to.first_chunk_s.record(call.first_chunk_ns / 1e9, labels, context=context)
        _usage(to, call.usage, labels, ended, context)

    def _agent(
        self, to: Instruments, record: AgentRun | TaskRecord, name: str, context: Context
    ) -> None:
        labels: Labels = {names.AGENT_NAME: name}
        wrong = error_type(record)
        ended = labels if wrong is None else {**labels, names.ERROR_TYPE: wrong}
        seconds = duration_s(record)
        if seconds is not None:
            to.agent_s.record(seconds, ended, context=context)
        calls, tools = self._calls.pop(record.id) or (0, 0)
        to.agent_calls.record(calls, labels, context=context)
        to.agent_tools.record(tools, labels, context=context)

    def _task(
        self, to: Instruments, task: TaskRecord, settled: Mapping[str, AttributeValue]
    ) -> None:
        labels = self._task_labels(task)
        to.tasks.add(1, {**labels, names.TASK_OUTCOME: task.outcome})
        if task.refused_calls:
            to.refused.add(task.refused_calls, labels)
        for account, usd in _accounts(settled):
            if usd > 0:
                to.spent.add(usd, {**labels, metric_names.ACCOUNT: account})

    def _task_labels(self, task: TaskRecord) -> Labels:
        labels: Labels = {names.TASK_NAME: self._bounded(task.name)}
        for key in self._tags:
            if key in task.tags:
                labels[names.TASK_TAG.format(key=key)] = task.tags[key]
        return labels

    def _bounded(self, name: str) -> str:
        if name not in self._task_names:
            if len(self._task_names) >= MOST_TASK_NAMES:
                return OTHER_NAME
            self._task_names.add(name)
        return name


def _cache(to: Instruments, verdict: CallVerdict, labels: Labels, context: Context) -> None:
    if verdict.context_tokens is not None:
        to.context_size.record(verdict.context_tokens, labels, context=context)
    reusable, missed = verdict.reusable_tokens, verdict.missed_tokens
    if reusable and missed is not None:
        to.cache_hit_share.record(1 - missed / reusable, labels, context=context)


def _usage(to: Instruments, usage: Usage, labels: Labels, ended: Labels, context: Context) -> None:
    counted: dict[str, int | None] = {
        # The conventions count every inference, one without usage as 0.
        "input": usage.input_tokens or 0,
        "output": usage.output or 0,
        "cache_read.input": usage.cache_read,
        "cache_write.input": None if usage.cache_write is None else usage.written_tokens,
        "reasoning.output": usage.reasoning,
    }
    split = {**labels, names.TOKEN_MODALITY: "unknown"}
    for name, tokens in counted.items():
        if tokens is not None:
            to.counted[name].add(tokens, split, context=context)
    if usage.input_tokens is not None:
        to.input_tokens.record(usage.input_tokens, ended, context=context)
    if usage.output is not None:
        to.output_tokens.record(usage.output, ended, context=context)


def _tool_call(to: Instruments, tool: ToolCall, context: Context) -> None:
    seconds = duration_s(tool)
    if seconds is None:
        return
    labels: Labels = {names.TOOL_NAME: tool.name, names.TOOL_TYPE: "function"}
    wrong = error_type(tool)
    if wrong is not None:
        labels[names.ERROR_TYPE] = wrong
    to.tool_s.record(seconds, labels, context=context)


def _accounts(settled: Mapping[str, AttributeValue]) -> list[tuple[str, float]]:
    single = {names.TASK_WORK_USD: "work", names.TASK_UNEXPLAINED_USD: "unexplained"}
    found = []
    for name, value in settled.items():
        account = single.get(name)
        if account is None and name.startswith(_TAX_BEFORE) and name.endswith(_TAX_AFTER):
            account = name[len(_TAX_BEFORE) : -len(_TAX_AFTER)]
        if account is not None and isinstance(value, int | float):
            found.append((account, float(value)))
    return found
