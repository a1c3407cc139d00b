"""Classes that are built quickly are frozen dataclasses in every other way."""

import copy
import inspect
import pickle
from dataclasses import FrozenInstanceError, dataclass, field, replace

import pytest

from touchdown.records.quick import quick


@quick
@dataclass(frozen=True, slots=True)
class Made:
    name: str
    size: int = 3
    parts: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Usual:
    name: str
    size: int = 3
    parts: dict[str, int] = field(default_factory=dict)


@pytest.mark.parametrize(
    ("given", "named"),
    [
        (("a",), {}),
        (("a", 5), {}),
        ((), {"name": "a", "parts": {"x": 1}}),
        (("a", 4, {"y": 2}), {}),
    ],
)
def test_it_holds_what_a_usual_one_holds(
    given: tuple[object, ...], named: dict[str, object]
) -> None:
    made, usual = Made(*given, **named), Usual(*given, **named)  # type: ignore[arg-type]

    assert (made.name, made.size, made.parts) == (usual.name, usual.size, usual.parts)
    assert repr(made) == repr(usual).replace("Usual", "Made")
    assert type(made) is Made


def test_it_stays_frozen() -> None:
    made = Made("a")

    with pytest.raises(FrozenInstanceError):
        made.size = 4  # type: ignore[misc]
    assert not hasattr(made, "__dict__")


def test_objects_are_equal_by_their_fields_and_hash_alike() -> None:
    assert Made("a", 2, {}) == Made("a", 2)
    assert Made("a", 2) != Made("a")
    assert Made("a") != Usual("a")

    @quick
    @dataclass(frozen=True, slots=True)
    class Point:
        x: int

    assert len({Point(1), Point(1), Point(2)}) == 2


def test_each_object_has_parts_of_its_own() -> None:
    assert Made("a").parts is not Made("a").parts


def test_it_is_copied_pickled_and_changed_as_a_dataclass() -> None:
    made = Made("a", 2, {"x": 1})

    assert pickle.loads(pickle.dumps(made)) == made
    assert copy.deepcopy(made) == made
    assert replace(made, size=9) == Made("a", 9, {"x": 1})


def test_a_missing_or_unknown_field_is_refused() -> None:
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'name'"):
        Made()  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="unexpected keyword argument 'colour'"):
        Made("a", colour=1)  # type: ignore[call-arg]


def test_its_parameters_are_those_of_the_fields() -> None:
    assert list(inspect.signature(Made).parameters) == ["name", "size", "parts"]
    assert Made.__init__.__annotations__["size"] is int
