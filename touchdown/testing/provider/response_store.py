"""The responses that the provider keeps, as the Responses API does."""

from __future__ import annotations

import threading

from touchdown.testing.provider.payload import JsonObject, objects_in, text_in


class ResponseStore:
    """Finished responses by id, each with the items a follow-up request continues from."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: dict[str, tuple[JsonObject, list[JsonObject]]] = {}

    def save(self, response: JsonObject, given: list[JsonObject]) -> None:
        """Keep `response`, which answered the items `given`, unless it said not to."""
        if response.get("store") is False:
            return
        items = given + objects_in(response.get("output"))
        with self._lock:
            self._kept[text_in(response.get("id"))] = (response, items)

    def response(self, response_id: str) -> JsonObject | None:
        """The response with that id, or None."""
        with self._lock:
            kept = self._kept.get(response_id)
        return kept[0] if kept else None

    def context(self, response_id: str) -> list[JsonObject] | None:
        """All items up to and with that response's output, or None if it is not kept."""
        with self._lock:
            kept = self._kept.get(response_id)
        return kept[1] if kept else None
