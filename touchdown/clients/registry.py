"""Our own clients, registered statically: host module to where its integration is defined."""

CLIENTS: dict[str, str] = {
    "openai": "touchdown.clients.openai.patch:OpenAiIntegration",
    "anthropic": "touchdown.clients.anthropic.patch:AnthropicIntegration",
}
