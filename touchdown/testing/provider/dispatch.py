"""From a request to its answer: the script's, or the provider's own."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import TypeAlias

from touchdown.testing.provider.answer import EVENT_STREAM, JSON, Answer, split_events
from touchdown.testing.provider.anthropic_answer import message, message_events
from touchdown.testing.provider.anthropic_cache import breakpoint_error
from touchdown.testing.provider.catalogue import embeddings, models
from touchdown.testing.provider.chat_answer import completion, completion_events
from touchdown.testing.provider.clock import Clock
from touchdown.testing.provider.diagnostics import (
    History,
    Sent,
    diagnose_anthropic,
    diagnose_openai,
)
from touchdown.testing.provider.errors import error, fault_answer, misuse
from touchdown.testing.provider.intake import Call, read_call
from touchdown.testing.provider.openai_prompt import input_items
from touchdown.testing.provider.payload import JsonObject, json_bytes, text_in
from touchdown.testing.provider.prefix_cache import PrefixCache
from touchdown.testing.provider.replay import Replay, ReplayError
from touchdown.testing.provider.request import Request
from touchdown.testing.provider.response_store import ResponseStore
from touchdown.testing.provider.responses_answer import (
    compacted,
    response,
    response_events,
    unfinished,
)
from touchdown.testing.provider.script import Fault, Reply
from touchdown.testing.provider.server import Received
from touchdown.testing.provider.thread_store import ThreadStore, previous_message
from touchdown.testing.provider.turn import Turn

Step: TypeAlias = Reply | Fault | str
Decide: TypeAlias = Callable[[Request], Step]
_Payload: TypeAlias = tuple[bytes, list[bytes] | None]


class ScriptError(LookupError):
    """The script has no answer for a request."""


class Dispatcher:
    """Answers requests from a script, with one prompt cache and one store of responses."""

    def __init__(self, script: Decide | Replay, clock: Clock) -> None:
        self.cache = PrefixCache()
        self._script = script
        self._clock = clock
        self._store = ResponseStore()
        self._threads = ThreadStore()
        self._history = History()
        self._numbers = itertools.count(1)

    def read(self, received: Received) -> Call:
        """Decode a request and look its prompt up in the cache, as of its arrival."""
        return read_call(
            received,
            cache=self.cache,
            store=self._store,
            threads=self._threads,
            now_s=self._clock.now(),
            request_id=self._new_id("req"),
        )

    def answer(self, call: Call) -> Answer:
        """The answer to `call`; a mistake of the test becomes an error that says so."""
        try:
            if isinstance(self._script, Replay):
                return self._script.next_answer(call.request)
            if call.route.action in ("answer", "stream", "compact"):
                return self._model_call(call, self._script)
            return self._look_aside(call)
        except (ReplayError, ScriptError) as mistake:
            return misuse(str(mistake), call.route, call.request_id)
        except Exception as mistake:
            text = f"the script raised {type(mistake).__name__}: {mistake}"
            return misuse(text, call.route, call.request_id)

    def _look_aside(self, call: Call) -> Answer:
        """What needs no script: counts, lists, and responses stored earlier."""
        action, route = call.route.action, call.route
        if action == "count":
            return Answer(body=json_bytes(_count(call)))
        if action == "models":
            return Answer(body=json_bytes(models(call.request, route.item_id)))
        if action in ("get", "cancel"):
            look = self._store.cancel if action == "cancel" else self._store.response
            stored = look(route.item_id, self._clock.now())
            if stored is not None:
                return _stored_answer(stored, call.request)
            text = f"Response with id '{route.item_id}' not found."
            return error(404, "invalid_request_error", text, route, call.request_id)
        if action == "eventstream":
            text = "Bedrock's binary event stream is not spoken here"
            return misuse(text, route, call.request_id)
        text = f"the loopback provider has no {call.request.method} {call.request.path}"
        return error(404, "not_found_error", text, route, call.request_id)

    def _model_call(self, call: Call, decide: Decide) -> Answer:
        if call.route.api == "openai.embeddings":
            return Answer(body=json_bytes(embeddings(call.request)))
        refusal = self._refusal(call)
        if refusal is not None:
            return refusal
        step = decide(call.request)
        if isinstance(step, Fault):
            return fault_answer(step, call.route, call.request_id)
        reply = Reply(step) if isinstance(step, str) else step
        diagnosis = self._diagnose(call)
        turn = Turn(call.request, reply, call.plan, self._new_id, call.request.at, diagnosis)
        return self._reply(call, turn)

    def _diagnose(self, call: Call) -> JsonObject | None:
        sent = Sent(call.prompt, call.request.body)
        if call.route.api == "anthropic.messages":
            return diagnose_anthropic(sent, self._history)
        if call.route.api == "openai.responses":
            return diagnose_openai(sent, call.plan.read_tokens, self._history)
        return None

    def _refusal(self, call: Call) -> Answer | None:
        """The API's own refusals: breakpoints it does not take, a conversation it does not hold."""
        kind = "invalid_request_error"
        if call.route.api == "anthropic.messages":
            if call.whole is None:
                text = f"Thread of message '{previous_message(call.request.body)}' not found."
                code = "thread_not_found"
                return error(404, "not_found_error", text, call.route, call.request_id, code)
            refused = breakpoint_error(call.prompt)
            return error(400, kind, refused, call.route, call.request_id) if refused else None
        previous = text_in(call.request.body.get("previous_response_id"))
        if previous and self._store.context(previous) is None:
            text = f"Previous response with id '{previous}' not found."
            code = "previous_response_not_found"
            return error(400, kind, text, call.route, call.request_id, code)
        return None

    def _reply(self, call: Call, turn: Turn) -> Answer:
        reply = turn.reply
        header = "request-id" if call.route.api == "anthropic.messages" else "x-request-id"
        body, chunks = self._payload(call, turn)

        def begin() -> None:
            self.cache.commit(call.plan, self._clock.now())

        headers = {header: call.request_id, **reply.headers}
        usual = JSON if chunks is None else EVENT_STREAM
        return Answer(
            headers=headers,
            body=body,
            chunks=chunks,
            content_type=headers.pop("content-type", usual),
            first_delay_s=0.0 if turn.body.get("background") else reply.first_chunk_delay_s,
            chunk_delay_s=reply.chunk_delay_s,
            stalls_s=reply.stalls_s,
            cut_after_chunks=reply.cut_after_chunks,
            on_begin=begin,
        )

    def _payload(self, call: Call, turn: Turn) -> _Payload:
        """The body, or the chunks where the answer is streamed."""
        given, stream = turn.reply.body, call.request.stream
        if isinstance(given, str):
            return b"", split_events(given)
        if isinstance(given, bytes):
            return given, None
        if given is not None:
            return json_bytes(given), None
        if call.route.api == "openai.responses":
            return self._response_payload(call, turn)
        if call.route.api == "openai.chat":
            if stream:
                return b"", list(completion_events(turn))
            return json_bytes(completion(turn)), None
        whole = message(turn)
        self._threads.save(call.whole or {}, whole, self._clock.now())
        self._history.keep(text_in(whole["id"]), Sent(call.prompt, turn.body))
        if stream:
            return b"", list(message_events(whole, turn.reply.chunk_chars))
        return json_bytes(whole), None

    def _response_payload(self, call: Call, turn: Turn) -> _Payload:
        """As above; the finished response is kept for look-ups and follow-ups."""
        if call.route.action == "compact":
            return json_bytes(compacted(turn, input_items(turn.body))), None
        whole = response(turn)
        self._history.keep(text_in(whole["id"]), Sent(call.prompt, turn.body))
        previous = self._store.context(text_in(turn.body.get("previous_response_id")))
        runs_s = turn.reply.first_chunk_delay_s if whole["background"] else 0.0
        self._store.save(whole, (previous or []) + input_items(turn.body), turn.at + runs_s)
        if call.request.stream:
            return b"", list(response_events(whole, turn.reply.chunk_chars))
        return json_bytes(unfinished(whole, "queued") if whole["background"] else whole), None

    def _new_id(self, prefix: str) -> str:
        return f"{prefix}_loopback{next(self._numbers):08d}"


def _stored_answer(stored: JsonObject, request: Request) -> Answer:
    """A response that is looked up, as a stream where that is asked for."""
    if request.query.get("stream") != "true":
        return Answer(body=json_bytes(stored))
    after = int(request.query.get("starting_after", -1))
    events = list(response_events(stored, Reply().chunk_chars, after))
    return Answer(chunks=events, content_type=EVENT_STREAM)


def _count(call: Call) -> JsonObject:
    counted: JsonObject = {"input_tokens": call.request.input_tokens}
    if call.route.api == "openai.responses":
        counted["object"] = "response.input_tokens"
    return counted
