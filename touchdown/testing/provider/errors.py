"""Error answers in each vendor's form."""

from __future__ import annotations

from collections.abc import Mapping

from touchdown.testing.provider.answer import Answer
from touchdown.testing.provider.payload import JsonObject, json_bytes
from touchdown.testing.provider.routes import Route
from touchdown.testing.provider.script import Fault


def fault_answer(fault: Fault, route: Route, request_id: str) -> Answer:
    """The answer a fault of the script turns into."""
    answer = error(fault.status, fault.error_type, fault.message, route, request_id)
    return Answer(
        fault.status,
        {**answer.headers, **fault.headers},
        answer.body,
        first_delay_s=fault.delay_s,
        drop=fault.cut,
    )


def error(
    status: int, kind: str, message: str, route: Route, request_id: str, code: str | None = None
) -> Answer:
    """An error body as the vendor of `route` writes it."""
    detail: JsonObject = {"type": kind, "message": message}
    if route.api == "anthropic.messages":
        if code is not None:
            detail["details"] = {"error_code": code}
        body: JsonObject = {"type": "error", "error": detail, "request_id": request_id}
        headers: Mapping[str, str] = {"request-id": request_id}
    else:
        body = {"error": {**detail, "param": None, "code": code}}
        headers = {"x-request-id": request_id}
    return Answer(status, headers, json_bytes(body))


def misuse(message: str, route: Route, request_id: str) -> Answer:
    """The test itself went wrong: said at once, without the SDK's retries."""
    answer = error(500, "api_error", f"loopback provider: {message}", route, request_id)
    return Answer(500, {**answer.headers, "x-should-retry": "false"}, answer.body)
