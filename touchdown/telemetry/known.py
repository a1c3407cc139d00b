"""Unknown is never zero: an attribute without a value is not written at all."""

from collections.abc import Mapping

from opentelemetry.util.types import AttributeValue


def known(attributes: Mapping[str, AttributeValue | None]) -> dict[str, AttributeValue]:
    """The attributes that have a value; ``None``, an empty text and an empty list are none, 0 is one."""
    return {
        name: value
        for name, value in attributes.items()
        if value is not None and value != "" and value != []
    }
