"""Which API a path of the openai SDK is, and who reads its payloads."""

from touchdown.clients.openai.chat import ChatReader
from touchdown.clients.openai.embeddings import EmbeddingsReader
from touchdown.clients.openai.responses import ResponsesReader
from touchdown.integration import CallReader

CHAT = ChatReader()
RESPONSES = ResponsesReader()
EMBEDDINGS = EmbeddingsReader()

READERS: dict[str, CallReader] = {
    "/chat/completions": CHAT,
    "/responses": RESPONSES,
    "/responses/compact": RESPONSES,
    "/embeddings": EMBEDDINGS,
}
"""POST path, as the SDK's resources give it, to reader."""

NOT_CAPTURED = {
    "responses.connect": "WebSocket",
    "realtime": "WebSocket, and audio",
    "live": "WebSocket, and audio",
    "completions": "the old text completions",
    "decisions": "answers questions about an input, not a conversation",
    "images": "no tokens of a context",
    "videos": "no tokens of a context",
    "audio": "no tokens of a context",
    "batches": "billed outside the process",
    "evals": "billed outside the process",
    "fine_tuning": "billed outside the process",
    "beta.agents": "server-side loops",
    "beta.assistants": "server-side loops",
    "beta.threads": "server-side loops",
    "beta.chatkit": "server-side loops",
}
"""What this SDK can call that touchdown does not see, and why; shown by ``touchdown doctor``."""
