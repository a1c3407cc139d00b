"""Real tokenizers, from the files that litellm ships: nothing of litellm itself is imported."""

import os
from collections.abc import Callable
from functools import lru_cache
from importlib.metadata import distribution
from pathlib import Path

Count = Callable[[str], int]

NAMES = ("o200k_base", "cl100k_base", "anthropic", "deepseek")


@lru_cache
def counter(name: str) -> Count:
    """What counts the tokens of a text as one family of models does."""
    folder = Path(str(distribution("litellm").locate_file("litellm/litellm_core_utils/tokenizers")))
    if name.endswith("_base"):
        os.environ["TIKTOKEN_CACHE_DIR"] = str(folder)
        import tiktoken

        encoding = tiktoken.get_encoding(name)
        return lru_cache(None)(lambda text: len(encoding.encode(text, disallowed_special=())))
    import tokenizers

    tokenizer = tokenizers.Tokenizer.from_file(str(folder / f"{name}_tokenizer.json"))
    return lru_cache(None)(lambda text: len(tokenizer.encode(text, add_special_tokens=False).ids))
