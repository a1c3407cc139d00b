"""Who makes a model that a source names without a provider."""

from functools import cache

from touchdown.prices.matching import find_exact, provider_named
from touchdown.prices.volume import open_installed

MAKERS = {
    "anthropic": "anthropic",
    "cohere": "cohere",
    "deepseek": "deepseek",
    "minimax": "minimax",
    "mistral": "mistral_ai",
    "moonshotai": "moonshot_ai",
    "openai": "openai",
    "x-ai": "x_ai",
    "zai": "zai",
}
"""Those that sell models of their own only: the book's id and the name in OpenTelemetry's conventions."""

RESELLER = ("google", "gcp.gemini")
"""Makes models and sells those of others, too: asked where nobody else lists the id."""


@cache
def maker_of(model: str) -> str:
    """The one maker that lists exactly this id; empty where none does, or several."""
    providers = open_installed().providers
    for makers in (MAKERS, dict([RESELLER])):
        found = [
            name
            for maker, name in makers.items()
            if (known := provider_named(maker, providers)) is not None
            and find_exact(known, model) is not None
        ]
        if found:
            return found[0] if len(found) == 1 else ""
    return ""
