"""Embeddings: payloads to records."""

from collections.abc import Mapping

from touchdown.clients.fields import get, text
from touchdown.clients.openai.chat import ChatStream
from touchdown.clients.openai.usage import read_usage
from touchdown.clients.parameters import pick_request
from touchdown.integration import AnswerView, Block, RequestView


class EmbeddingsReader:
    """Reads ``/embeddings``."""

    api = "embeddings"
    operation = "embeddings"

    def read_request(self, body: Mapping[str, object]) -> RequestView:
        """One block per text; token lists count as one."""
        given = body.get("input")
        texts = (
            given if isinstance(given, list) and given and isinstance(given[0], str) else [given]
        )
        return RequestView(
            [Block("user", value, "user") for value in texts],
            request=pick_request(body),
            caching="off",
        )

    def read_answer(self, answer: object) -> AnswerView:
        """A ``CreateEmbeddingResponse`` or its JSON: input only, nothing is generated."""
        usage = read_usage(
            {"prompt_tokens": get(get(answer, "usage"), "prompt_tokens"), "completion_tokens": 0}
        )
        return AnswerView(usage=usage, model=text(answer, "model"))

    def new_stream(self) -> ChatStream:
        """Embeddings do not stream."""
        return ChatStream()
