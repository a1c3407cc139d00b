"""The responses that the provider keeps, as the Responses API does."""

from __future__ import annotations

import threading

from msgspec import Struct

from touchdown.testing.provider.payload import JsonObject, objects_in, text_in
from touchdown.testing.provider.responses_answer import unfinished


class _Kept(Struct):
    """A finished response, the items up to its end, and when it ends for who looks. Units: clock seconds."""

    response: JsonObject
    items: list[JsonObject]
    ready_at_s: float


class ResponseStore:
    """Responses by id, each with the items a follow-up request continues from."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: dict[str, _Kept] = {}

    def save(self, response: JsonObject, given: list[JsonObject], ready_at_s: float = 0.0) -> None:
        """Keep `response` to the items `given`, which runs until `ready_at_s`, unless told not to."""
        if response.get("store") is False:
            return
        items = given + objects_in(response.get("output"))
        with self._lock:
            self._kept[text_in(response.get("id"))] = _Kept(response, items, ready_at_s)

    def response(self, response_id: str, now_s: float) -> JsonObject | None:
        """The response with that id as it is now, or None."""
        with self._lock:
            kept = self._kept.get(response_id)
        if kept is None or now_s >= kept.ready_at_s:
            return kept.response if kept else None
        return unfinished(kept.response, "in_progress")

    def cancel(self, response_id: str, now_s: float) -> JsonObject | None:
        """The same, ended if it still runs."""
        with self._lock:
            kept = self._kept.get(response_id)
            if kept is not None and now_s < kept.ready_at_s:
                kept.response, kept.ready_at_s = unfinished(kept.response, "cancelled"), now_s
        return kept.response if kept else None

    def context(self, response_id: str) -> list[JsonObject] | None:
        """All items up to and with that response's output, or None if it is not kept."""
        with self._lock:
            kept = self._kept.get(response_id)
        return kept.items if kept else None
