"""What CI counts and what it takes from the README."""

from pathlib import Path

import pytest

from ci.readme_command import command_ending_in
from ci.tally import tally

README = """
```sh
git clone somewhere
pip install -e ".[demo]" && touchdown demo
```

```sh
pip install -e ".[dev]" && pytest
pip install -e ".[grpc]"
```
"""


def test_the_readme_command_is_taken_as_written() -> None:
    assert (
        command_ending_in("touchdown demo", README) == 'pip install -e ".[demo]" && touchdown demo'
    )
    assert command_ending_in("pytest", README) == 'pip install -e ".[dev]" && pytest'


@pytest.mark.parametrize(
    "readme", ["", README.replace("```", ""), README + README.replace("dev", "dev,top")]
)
def test_a_missing_or_doubtful_command_stops_the_run(readme: str) -> None:
    with pytest.raises(SystemExit, match=r"README\.md has"):
        command_ending_in("pytest", readme)


def test_the_counts_of_all_logs_are_added(tmp_path: Path) -> None:
    first, second = tmp_path / "a.log", tmp_path / "b.log"
    first.write_text("3 passed already\n==== 40 passed, 2 skipped in 12.50s ====\n")
    second.write_text(
        "= 1 failed, 5 passed, 1 error in 70.01s (0:01:10) =\n3 deselected in 0.10s\n"
    )
    assert tally([first, second]) == {"passed": 45, "failed": 2, "skipped": 2}
