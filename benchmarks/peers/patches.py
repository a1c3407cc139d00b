"""What a peer put on the SDKs' classes: taken off and put back, whether it can undo itself or not."""

import sys
from collections.abc import Iterator

MISSING: object = object()


def sdk_classes() -> Iterator[type]:
    """Every class that the SDKs' modules define."""
    for name, module in list(sys.modules.items()):
        if name.split(".")[0] in ("openai", "anthropic"):
            for value in list(vars(module).values()):
                if isinstance(value, type) and value.__module__ == name:
                    yield value


def attributes() -> dict[tuple[type, str], object]:
    """What these classes define now."""
    return {
        (kind, name): value for kind in sdk_classes() for name, value in list(vars(kind).items())
    }


class Patches:
    """The differences to what these classes defined `before`."""

    def __init__(self, before: dict[tuple[type, str], object]) -> None:
        known = {kind for kind, _ in before}
        self._on = {
            (kind, name): value
            for (kind, name), value in attributes().items()
            if before.get((kind, name), MISSING) is not value
            and kind in known
            and ((kind, name) in before or not name.startswith("__"))
        }
        self._off = {key: before.get(key, MISSING) for key in self._on}

    def __len__(self) -> int:
        return len(self._on)

    def to(self, state: str) -> None:
        """Put them ``on`` or ``off``."""
        for (kind, name), value in (self._on if state == "on" else self._off).items():
            if value is MISSING:
                if name in vars(kind):
                    delattr(kind, name)
            else:
                setattr(kind, name, value)
