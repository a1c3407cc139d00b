"""Which provider a model's name says it came from, as harnesses write such names."""

from touchdown.prices.makers import maker_of

SELLERS = {
    "azure": "azure.ai.openai",
    "bedrock": "aws.bedrock",
    "fireworks_ai": "fireworks",
    "gemini": "gcp.gemini",
    "google": "gcp.gemini",
    "mistral": "mistral_ai",
    "moonshot": "moonshot_ai",
    "moonshotai": "moonshot_ai",
    "together_ai": "together",
    "vertex_ai": "gcp.vertex_ai",
    "x-ai": "x_ai",
    "xai": "x_ai",
}
"""litellm's prefixes to the conventions' provider names, where they differ.

Source: https://docs.litellm.ai/docs/providers, 2026-11.
"""


def seller_of(name: str) -> tuple[str, str]:
    """Provider and model of ``provider/model``. Without a provider: the maker that lists exactly this id.

    A provider that the price book does not know leaves the call unpriced: a model is never taken for
    another's of a similar name.
    """
    before, slash, model = name.partition("/")
    if not slash:
        return maker_of(name), name
    return SELLERS.get(before.lower(), before.lower()), model
