"""What the context of a call is beside its agent's calls before it; used behind the queue only."""

from touchdown.context.blocks import RequestView
from touchdown.context.tracker import ContextTracker
from touchdown.records import AnswerView, ContextShape
from touchdown.runtime.core import Runtime
from touchdown.runtime.guard import failed
from touchdown.runtime.place import TaskState


def tracker_of(runtime: Runtime, task: TaskState, agent_id: str) -> ContextTracker | None:
    """The context of one agent as it is followed; ``None``, and told, where that broke."""
    try:
        return runtime.tracker(task, agent_id)
    except Exception:
        failed("context.tracker")
        return None


def shape_of(
    tracker: ContextTracker | None, call_id: str, view: RequestView, answer: AnswerView
) -> ContextShape:
    """The shape of a call; its answer may stand in a later one."""
    try:
        if tracker is not None:
            shape = tracker.shape(call_id, view)
            tracker.note_answer(call_id, answer)
            return shape
    except Exception:
        failed("context.tracker")
    return ContextShape(opaque="context not readable")
