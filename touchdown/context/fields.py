"""Fields of payloads that are SDK objects or plain mappings."""


def get(source: object, name: str) -> object:
    """A field of an SDK object or a mapping; ``None`` when it is not there."""
    if isinstance(source, dict):
        return source.get(name)
    return getattr(source, name, None)


def text(source: object, name: str) -> str:
    """A string field; empty when it is missing or something else."""
    value = get(source, name)
    return value if isinstance(value, str) else ""


def items(value: object) -> list[object]:
    """A list's items; nothing for anything else."""
    return list(value) if isinstance(value, (list, tuple)) else []


def either(source: object, *names: str) -> object:
    """The first of these fields that is there."""
    for name in names:
        value = get(source, name)
        if value is not None:
            return value
    return None
