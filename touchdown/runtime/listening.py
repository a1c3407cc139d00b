"""Readers that keep what they read, for those who asked that content be shown."""

from collections.abc import Mapping, Sequence
from typing import Protocol, runtime_checkable

from touchdown.context.blocks import Block, RequestView
from touchdown.context.growing import LastRequest
from touchdown.context.parts import definitions_of, messages_of, parts_of
from touchdown.records import AnswerView
from touchdown.runtime.content import Content, ContentOptions, Room, Shape, make_content
from touchdown.runtime.reading import CallReader, StreamReader, read_request


@runtime_checkable
class TellingReader(Protocol):
    """A reader that can also tell what an answer says; others show requests only."""

    def said(self, answer: object) -> list[list[Block]]:
        """The blocks of an answer, one list for each choice."""
        ...

    def said_in(self, events: Sequence[object]) -> list[list[Block]]:
        """The same of the events of a stream, as far as they came."""
        ...


class Listening:
    """A call's reader that also keeps what it read, until the content is made of it."""

    follows = True

    def __init__(self, reader: CallReader, options: ContentOptions) -> None:
        self._reader, self._options = reader, options
        self.api, self.operation = reader.api, reader.operation
        self._view: RequestView | None = None
        self._answer: object = None
        self._stream: ListeningStream | None = None

    def read_request(
        self, body: Mapping[str, object], last: LastRequest | None = None
    ) -> RequestView:
        """As the reader itself."""
        self._view = view = read_request(self._reader, body, last)
        return view

    def read_answer(self, answer: object) -> AnswerView:
        """As the reader itself."""
        view = self._reader.read_answer(answer)
        self._answer = answer
        return view

    def new_stream(self) -> "ListeningStream":
        """As the reader itself; its events are kept, as many as there may be room for."""
        self._stream = ListeningStream(self._reader.new_stream(), self._options.limit)
        return self._stream

    def content(self) -> Content | None:
        """What was said in this call."""
        if self.operation == "embeddings" or self._view is None:
            return None
        blocks = self._view.blocks
        tools = [block for block in blocks if block.kind == "tools"]
        rest = [block for block in blocks if block.kind != "tools"]
        first = 0
        if self.api != "chat.completions":  # there they are messages
            while first < len(rest) and rest[first].kind == "system":
                first += 1
        shapes: dict[str, Shape] = {
            "tool_definitions": lambda room: definitions_of(tools, room),
            "system_instructions": lambda room: parts_of(rest[:first], room),
            "input_messages": lambda room: messages_of(rest[first:], room),
            "output_messages": self._output,
        }
        return make_content(self._options, shapes)

    def _output(self, room: Room) -> object:
        reader = self._reader
        if not isinstance(reader, TellingReader):
            return None
        if self._stream is not None and self._answer is None:
            room.cut_chars += self._stream.missed
            choices = reader.said_in(self._stream.events)
        else:
            choices = reader.said(self._answer)
        return [message for blocks in choices for message in messages_of(blocks, room)]


class ListeningStream:
    """A stream's reader that keeps the events, up to as many as there can be room for, and the last one."""

    def __init__(self, stream: StreamReader, most: int) -> None:
        self._stream, self._most = stream, most
        self.events: list[object] = []
        self.missed = 0

    def chunk(self, event: object) -> None:
        """As the stream's reader itself."""
        self._stream.chunk(event)
        if len(self.events) <= self._most:
            self.events.append(event)
        else:
            self.events[-1] = event
            self.missed += 1

    def answer(self) -> AnswerView:
        """As the stream's reader itself."""
        return self._stream.answer()
