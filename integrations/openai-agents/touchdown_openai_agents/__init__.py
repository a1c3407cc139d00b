"""touchdown for the OpenAI Agents SDK: agents, handoffs and tools; usage stays with the client."""

from touchdown_openai_agents.patch import OpenAiAgents as OpenAiAgents

__all__ = ["OpenAiAgents"]
