"""Asking a provider why its cache missed: it compares a request with the same agent's answered one before."""

from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress

from touchdown.clients.fields import text
from touchdown.integration import CallObservation, guarded
from touchdown.runtime.raw import read_raw

MOST_AGENTS = 4_096
"""Agents whose last answer is known; of the one that was quiet longest it is forgotten."""

Hold = Callable[[CallObservation, object], bool | None]
Key = tuple[str, str, int]


class LastAnswers:
    """Id of the last answer to each agent, by route. Only single steps on a mapping: no lock to be held.

    Two calls of one agent that end at once may leave the older id: the verdict then names what it compared.
    """

    def __init__(self) -> None:
        self._ids: OrderedDict[Key, tuple[int, str]] = OrderedDict()

    def before(self, seen: CallObservation, client: object) -> str:
        """Id of the answer before this call, empty for a first one."""
        return self._ids.get(key_of(seen, client), (0, ""))[1]

    def noting(self, seen: CallObservation, client: object, inner: Hold | None) -> Hold:
        """What to ask before the call is finished: notes its answer's id, then asks ``inner``."""
        key = key_of(seen, client)

        def hold(ended: CallObservation, answer: object) -> bool | None:
            self._note(key, ended, answer)
            return inner(ended, answer) if inner is not None else None

        return hold

    @guarded("clients.comparing")
    def _note(self, key: Key, seen: CallObservation, answer: object) -> None:
        found = _answer_id(seen, answer)
        sent_ns = seen.start.sent_at_ns
        if not found or sent_ns < self._ids.get(key, (0, ""))[0]:
            return
        self._ids.pop(key, None)
        self._ids[key] = (sent_ns, found)
        if len(self._ids) > MOST_AGENTS:
            with suppress(KeyError):  # another thread emptied it at this moment
                self._ids.popitem(last=False)


def key_of(seen: CallObservation, client: object) -> Key:
    """Whose call it is, and by which route: an id holds for one endpoint and account."""
    credential = getattr(client, "api_key", None) or getattr(client, "auth_token", None)
    route = hash((str(getattr(client, "base_url", "")), str(credential)))
    return seen.start.task_id, seen.start.agent_id, route


def _answer_id(seen: CallObservation, answer: object) -> str:
    if answer is not None:
        return text(answer, "id")
    if seen.stream is not None and seen.chunks:
        return seen.stream.answer().response_id
    return read_raw(seen.reader, seen.raw).response_id if seen.raw is not None else ""
