"""Two ways to tell what a record says: as attributes, and as the bytes that spans of our own are sent in."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from opentelemetry.util.types import AttributeValue

from touchdown.telemetry.facts import Alike, Facts, filled, write_template
from touchdown.telemetry.known import Numbers, add_attributes, one_attribute
from touchdown.telemetry.protobuf import UnusualError


class Telling(Protocol):
    """What takes attributes. Each name is told once."""

    def facts(self, facts: Facts, record: Any) -> None:
        """Some facts of a record."""
        ...

    def one(self, name: str, value: AttributeValue) -> None:
        """One attribute."""
        ...

    def alike(self, facts: Alike, record: Any) -> None:
        """Some facts that are mostly what they were."""
        ...

    def numbers(self, numbers: Numbers, values: Sequence[float]) -> None:
        """Some numbers."""
        ...

    def template(self, name: str, values: Mapping[str, AttributeValue]) -> None:
        """A mapping as one attribute per key: `name` has the key's place in braces."""
        ...

    def more(self, attributes: Mapping[str, AttributeValue]) -> None:
        """These attributes."""
        ...


class AsAttributes(dict[str, AttributeValue]):
    """Attributes by name."""

    def facts(self, facts: Facts, record: Any) -> None:
        """Some facts of a record."""
        facts.write(record, self)

    def alike(self, facts: Alike, record: Any) -> None:
        """Some facts that are mostly what they were."""
        facts.write(record, self)

    def numbers(self, numbers: Numbers, values: Sequence[float]) -> None:
        """Some numbers."""
        self.update(zip(numbers.names, values, strict=True))

    def template(self, name: str, values: Mapping[str, AttributeValue]) -> None:
        """A mapping as one attribute per key."""
        self.update(write_template(name, values))

    one = dict.__setitem__
    more = dict.update


class AsBytes(list[bytes]):
    """Fields of a span, some of them empty, some several in one.

    Errors: :class:`UnusualError` and ``UnicodeEncodeError``, as :func:`add_attributes`.
    """

    within = 0
    """Attributes that stand in one piece with another one."""

    def facts(self, facts: Facts, record: Any) -> None:
        """Some facts of a record."""
        try:
            self += facts.encode(record)
        except TypeError as error:  # a list where a tuple is meant
            raise UnusualError(str(error)) from error

    def alike(self, facts: Alike, record: Any) -> None:
        """Some facts that are mostly what they were."""
        try:
            block, count = facts.block(record)
        except TypeError as error:
            raise UnusualError(str(error)) from error
        self.append(block)
        self.within += count - 1

    def numbers(self, numbers: Numbers, values: Sequence[float]) -> None:
        """Some numbers."""
        self.append(numbers.encode(values))
        self.within += len(values) - 1

    def more_than(self, most: int) -> bool:
        """Whether there are more attributes than this."""
        count = len(self) + self.within
        return count > most and count - self.count(b"") > most

    def one(self, name: str, value: AttributeValue) -> None:
        """One attribute."""
        self.append(one_attribute(name, value))

    def template(self, name: str, values: Mapping[str, AttributeValue]) -> None:
        """A mapping as one attribute per key."""
        for key in sorted(values):
            self.append(one_attribute(filled(name, key), values[key]))

    def more(self, attributes: Mapping[str, AttributeValue]) -> None:
        """These attributes."""
        add_attributes(self, attributes)
