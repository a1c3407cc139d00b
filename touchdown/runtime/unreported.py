"""Usage that was not reported, and why."""

from msgspec.structs import replace

from touchdown.context.blocks import RequestView
from touchdown.records import AnswerView, Usage
from touchdown.records.call import CallStatus


def with_problems(answer: AnswerView, view: RequestView, status: CallStatus) -> Usage:
    """The usage with everything that is wrong or missing said in it."""
    problems = tuple(view.problems) + answer.usage.problems
    if answer.usage.completeness == "none" and not answer.usage.problems:
        problems += (_why_no_usage(view, status),)
    return (
        answer.usage
        if problems == answer.usage.problems
        else replace(answer.usage, problems=problems)
    )


def _why_no_usage(view: RequestView, status: CallStatus) -> str:
    if status == "error":
        return "the call failed"
    if status == "not_started":
        return "nothing was sent"
    if view.request.get("background") and status != "ok":
        return "the background response was not fetched after it ended"
    if status == "cancelled":
        return "the call was cancelled"
    if status in ("closed_early", "not_read"):
        return "the stream was not read to its end"
    if view.request.get("stream") and not view.request.get("include_usage", True):
        return "the stream was asked for without usage (stream_options.include_usage)"
    return "the answer reports no usage"
