"""The agents of a session: the one that the user speaks to, and those it began."""

from collections.abc import Iterator

from msgspec import Struct

from touchdown.records import AgentRun
from touchdown.sessions.turns import Turns

UNNAMED = "sub-agent"


class _Agent(Struct):
    name: str = ""
    parent: str = ""
    first_ns: int | None = None
    last_ns: int = 0


class Agents:
    """Who spoke when, and who began whom. The session's own id stands for its main agent."""

    def __init__(self, session: str) -> None:
        self._session = session
        self._agents: dict[str, _Agent] = {}
        self._sidecars: set[str] = set()

    def has_sidecar(self, agent_id: str) -> bool:
        """Whether the file that describes this agent was looked for."""
        return agent_id in self._sidecars

    def note_sidecar(self, agent_id: str, name: str) -> None:
        """What that file says."""
        self._sidecars.add(agent_id)
        agent = self._agents.setdefault(agent_id, _Agent())
        agent.name = name or agent.name

    def seen(self, agent_id: str, at_ns: int) -> None:
        """An agent wrote a line."""
        agent = self._agents.get(agent_id)
        if agent is None:
            agent = self._agents[agent_id] = _Agent()
        if agent.first_ns is None or at_ns < agent.first_ns:
            agent.first_ns = at_ns
        if at_ns > agent.last_ns:
            agent.last_ns = at_ns

    def spawned(self, agent_id: str, parent: str, name: str) -> None:
        """An agent was begun by another. What is known already is kept."""
        agent = self._agents.setdefault(agent_id, _Agent())
        agent.parent = agent.parent or (parent if parent != agent_id else "")
        agent.name = agent.name or name

    def records(self, turns: Turns) -> Iterator[AgentRun]:
        """The runs of the sub-agents that wrote something."""
        for agent_id, agent in self._agents.items():
            first = agent.first_ns
            if agent_id == self._session or first is None:
                continue
            yield AgentRun(
                id=agent_id,
                task_id=turns.use(first, agent.last_ns),
                parent_id=agent.parent or self._session,
                name=agent.name or UNNAMED,
                started_at_ns=first,
                duration_ns=max(agent.last_ns - first, 0),
            )
