"""The doctor, run as a user runs it, in environments that are made well and ill on purpose."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import openai
import pytest

from touchdown.cli.doctor import examine, main
from touchdown.runtime import core
from touchdown.testing import capture

REPOSITORY = Path(__file__).parents[2]
FOREIGN = ("TOUCHDOWN_", "OTEL_", "OPENAI_", "ANTHROPIC_", "NO_COLOR", "FORCE_COLOR", "COLUMNS")
SECRET = "s3cr3t-0123456789abcdef"

HOST = "MARK = 'as written'\n"
INTEGRATION = """
class Integration:
    name, supports = "some_host", "some-host>=1"
    def patch(self, module, seam):
        module.MARK = "patched"
        return lambda: None
"""
NO_SDKS = """
import sys
class Gone:
    def find_spec(self, name, path=None, target=None):
        if name in ("openai", "anthropic"):
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Gone())
"""
INSTRUMENTOR = """
class OpenAIInstrumentor:
    is_instrumented_by_opentelemetry = True
"""


def environment(folder: Path, **variables: str) -> dict[str, str]:
    clean = {key: value for key, value in os.environ.items() if not key.startswith(FOREIGN)}
    return {**clean, "PYTHONPATH": f"{folder}{os.pathsep}{REPOSITORY}", **variables}


def run(folder: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "touchdown", "doctor", *arguments],
        cwd=folder,
        env=environment(folder, **variables),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def findings(code: int, out: str, err: str) -> dict[str, Any]:
    """The findings as JSON; nothing else may be on either stream."""
    assert err == ""
    found: dict[str, Any] = json.loads(out)
    assert found["schema"] == "touchdown.doctor/1"
    assert found["ok"] is (code == 0) is not bool(found["problems"])
    return found


def ask_afresh(folder: Path, **variables: str) -> tuple[int, dict[str, Any]]:
    """Ask in a process of its own."""
    ran = run(folder, "--json", **variables)
    return ran.returncode, findings(ran.returncode, ran.stdout, ran.stderr)


Doctor = Callable[..., subprocess.CompletedProcess[str]]
Ask = Callable[..., tuple[int, dict[str, Any]]]


@pytest.fixture
def doctor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Doctor:
    """The command in this process, where the SDKs are loaded already: quicker, and the same answer."""
    for name in [name for name in os.environ if name.startswith(FOREIGN)]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)

    def ran(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        with monkeypatch.context() as meanwhile:
            for name, value in variables.items():
                meanwhile.setenv(name, value)
            code = main([*arguments])
        return subprocess.CompletedProcess([*arguments], code, *capsys.readouterr())

    return ran


@pytest.fixture
def ask(doctor: Doctor) -> Ask:
    def asked(*arguments: str, **variables: str) -> tuple[int, dict[str, Any]]:
        ran = doctor("--json", *arguments, **variables)
        return ran.returncode, findings(ran.returncode, ran.stdout, ran.stderr)

    return asked


def distribute(folder: Path, name: str, version: str, entry_points: str = "") -> None:
    """What an installer leaves of a distribution, without its code."""
    info = folder / f"{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    (info / "entry_points.txt").write_text(entry_points)


def by(key: str, rows: list[dict[str, Any]]) -> Mapping[str, dict[str, Any]]:
    return {row[key]: row for row in rows}


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        yield server


def test_a_sound_environment(tmp_path: Path) -> None:
    code, found = ask_afresh(tmp_path)
    assert code == 0
    sdks = by("name", found["sdks"])
    assert {name: sdk["version"] for name, sdk in sdks.items()} == {
        name: version(name) for name in ("openai", "anthropic")
    }
    assert {sdk["state"] for sdk in sdks.values()} == {"patched"}
    assert sdks["openai"]["supported"] == ">=2,<4"
    assert sdks["openai"]["not_captured"]["responses.connect"] == "WebSocket"
    assert found["export"] == {
        "disabled": False,
        "traces": [],
        "metrics": [],
        "reached": None,
        "notes": [],
    }
    assert found["prices"]["book"].startswith("genai-prices ")
    assert found["prices"]["newest_model"] in found["prices"]["book"]
    assert not any(setting["set"] for setting in found["settings"])


def test_the_look_is_taken_back() -> None:
    owner = openai._base_client.SyncAPIClient
    before = vars(owner)["request"]
    assert {sdk.state for sdk in examine().sdks} == {"patched"}
    assert vars(owner)["request"] is before


def test_an_sdk_outside_the_range(ask: Ask, tmp_path: Path) -> None:
    distribute(tmp_path, "openai", "1.99.0")
    code, found = ask()
    assert code == 1
    sdks = by("name", found["sdks"])
    assert (sdks["openai"]["version"], sdks["openai"]["state"]) == ("1.99.0", "refused")
    assert sdks["anthropic"]["state"] == "patched"
    assert "1.99.0 is outside the supported range" in found["problems"][0]


def test_an_sdk_that_breaks_when_imported(tmp_path: Path) -> None:
    (tmp_path / "anthropic.py").write_text("print('hello')\nraise RuntimeError('half installed')\n")
    code, found = ask_afresh(tmp_path)
    assert code == 1
    assert "RuntimeError: half installed" in by("name", found["sdks"])["anthropic"]["reason"]


def test_integrations_that_load_and_one_that_does_not(ask: Ask, tmp_path: Path) -> None:
    (tmp_path / "some_host.py").write_text(HOST)
    (tmp_path / "some_integration.py").write_text(INTEGRATION)
    group = "[touchdown.integrations]\n"
    distribute(tmp_path, "td-sound", "1.2", f"{group}some_host = some_integration:Integration\n")
    distribute(tmp_path, "td-broken", "0.1", f"{group}other_host = no_such_module:Integration\n")
    distribute(tmp_path, "td-idle", "0.2", f"{group}no_host = some_integration:Integration\n")
    code, found = ask()
    assert code == 1
    states = {row["distribution"]: row["state"] for row in found["integrations"]}
    mine = {name: state for name, state in states.items() if name.startswith("td-")}
    assert mine == {"td-sound": "patched", "td-broken": "refused", "td-idle": "not_installed"}
    (problem,) = found["problems"]
    assert "td-broken" in problem
    assert "no_such_module" in problem


def test_a_journal_is_judged_and_not_begun(ask: Ask, tmp_path: Path) -> None:
    journal = tmp_path / "new" / "run.jsonl"
    code, found = ask(TOUCHDOWN_JOURNAL=str(journal))
    assert code == 0
    assert by("name", found["settings"])["TOUCHDOWN_JOURNAL"]["value"] == str(journal)
    assert not journal.parent.exists()

    notes = tmp_path / "notes.txt"
    notes.write_text("my notes\n")
    for path in (notes, notes / "below", tmp_path):
        code, found = ask(TOUCHDOWN_JOURNAL=str(path))
        assert code == 1
        assert str(path) in found["problems"][0]
    assert notes.read_text() == "my notes\n"


def test_a_journal_that_exists_may_go_on(ask: Ask, tmp_path: Path) -> None:
    journal = tmp_path / "run.jsonl"
    journal.write_text('{"journal":"touchdown.journal/1"}\n')
    code, _ = ask(TOUCHDOWN_JOURNAL=str(journal))
    assert code == 0


def test_the_file_of_prices(ask: Ask, tmp_path: Path) -> None:
    (tmp_path / "touchdown.toml").write_text(
        '[[price]]\nmodel = "a"\ninput = "1"\noutput = "2"\n\n[[price]]\nmodle = "b"\n'
    )
    code, found = ask()
    assert code == 1
    assert found["prices"]["own_prices"] == 1
    assert "did you mean model?" in found["problems"][0]


def test_settings_that_do_nothing(ask: Ask) -> None:
    code, found = ask(TOUCHDOWN_DISABLED="on", TOUCHDOWN_JURNAL="run.jsonl")
    assert code == 1
    first, second = found["problems"]
    assert "only 1, true or yes" in first
    assert "did you mean TOUCHDOWN_JOURNAL?" in second


def test_touchdown_turned_off(ask: Ask, doctor: Doctor) -> None:
    code, found = ask(TOUCHDOWN_DISABLED="1")
    assert code == 0
    assert {sdk["state"] for sdk in found["sdks"]} == {"off"}
    assert "touchdown is off" in doctor(TOUCHDOWN_DISABLED="1").stdout


def test_no_sdk_at_all(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(NO_SDKS)
    ran = run(tmp_path, TOUCHDOWN_DISABLED="1")
    assert ran.returncode == 0
    assert ran.stdout.splitlines()[0].endswith("nothing to capture")
    assert ran.stdout.count("not installed") == 2
    assert "TOUCHDOWN_DISABLED    set: touchdown does nothing at all" in ran.stdout


def test_opentelemetry_turned_off(ask: Ask) -> None:
    endpoint = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://localhost:4318"}
    code, found = ask(OTEL_SDK_DISABLED="true", **endpoint)
    assert code == 0
    assert found["export"]["disabled"] is True
    assert found["export"]["traces"] == []
    assert {sdk["state"] for sdk in found["sdks"]} == {"patched"}


def test_no_connection_unless_asked(ask: Ask, listener: socket.socket) -> None:
    port = listener.getsockname()[1]
    endpoint = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{port}"}
    code, found = ask(**endpoint)
    assert code == 0
    assert found["export"]["traces"][0]["url"] == f"http://127.0.0.1:{port}/v1/traces"
    with pytest.raises(BlockingIOError):
        listener.accept()

    code, found = ask("--connect", **endpoint)
    assert code == 0
    assert [reach["answers"] for reach in found["export"]["reached"]] == [True]
    listener.accept()[0].close()

    listener.close()
    code, found = ask("--connect", **endpoint)
    assert code == 1
    assert f"nobody answers at 127.0.0.1:{port}" in found["problems"][0]


def test_doubles_are_named_with_their_end(ask: Ask, tmp_path: Path) -> None:
    group = "[opentelemetry_instrumentor]\n"
    entry = f"{group}openai = some_instrumentor:OpenAIInstrumentor\n"
    distribute(tmp_path, "opentelemetry-instrumentation-openai-v2", "2.4b0", entry)
    distribute(tmp_path, "opentelemetry-instrumentation-redis", "0.1", f"{group}redis = x:Y\n")
    distribute(tmp_path, "langfuse", "5.0.4")
    (tmp_path / "some_instrumentor.py").write_text(INSTRUMENTOR)
    code, found = ask()
    assert code == 0
    doubles = by("distribution", found["doubles"])
    double = doubles["opentelemetry-instrumentation-openai-v2"]
    assert (double["active"], double["sdks"]) == (False, ["openai"])
    assert "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS=openai" in double["mend"]
    assert "langfuse.openai" in doubles["langfuse"]["mend"]
    assert "opentelemetry-instrumentation-redis" not in doubles

    (tmp_path / "sitecustomize.py").write_text("import some_instrumentor\n")
    _, found = ask_afresh(tmp_path)
    doubles = by("distribution", found["doubles"])
    assert doubles["opentelemetry-instrumentation-openai-v2"]["active"] is True
    assert doubles["langfuse"]["active"] is False


def test_the_sdks_own_tracing_is_told(ask: Ask) -> None:
    mode = {"ANTHROPIC_OPEN_TELEMETRY_TRACES_CONTENT_MODE": "content"}
    _, found = ask(**mode)
    assert "prompts" in found["own_tracing"]["ANTHROPIC_OPEN_TELEMETRY_TRACES_CONTENT_MODE"]
    _, found = ask(**mode, ANTHROPIC_OPEN_TELEMETRY="false")
    assert found["own_tracing"] == {}


def test_libraries_without_a_client_are_named(ask: Ask, tmp_path: Path) -> None:
    distribute(tmp_path, "mistralai", "1.9")
    code, found = ask()
    assert code == 0
    assert by("distribution", found["unseen"])["mistralai"]["version"] == "1.9"


SECRETS = {
    "OPENAI_API_KEY": SECRET,
    "ANTHROPIC_API_KEY": SECRET,
    "TOUCHDOWN_DIGEST_KEY": SECRET,
    "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://{SECRET}:{SECRET}@localhost:4318/{SECRET}?k={SECRET}",
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": SECRET,
    "OTEL_EXPORTER_OTLP_HEADERS": f"{SECRET}, Authorization=Bearer {SECRET},{SECRET}",
}


def test_no_secret_is_shown(tmp_path: Path, ask: Ask) -> None:
    ran = run(tmp_path, **SECRETS)
    assert ran.returncode == 1
    assert "OTEL_EXPORTER_OTLP_HEADERS is no list of name=value" in " ".join(ran.stdout.split())
    assert SECRET not in ran.stdout + ran.stderr
    _, found = ask(**SECRETS)
    assert SECRET not in json.dumps(found)


def test_the_page_fits_and_is_plain_when_not_on_a_terminal(doctor: Doctor, tmp_path: Path) -> None:
    (tmp_path / "METADATA").touch()
    distribute(tmp_path, "anthropic", "0.1.0")
    distribute(tmp_path, "ddtrace", "4.0")
    ran = doctor(TOUCHDOWN_JOURNAL=str(tmp_path / "METADATA" / "run.jsonl"))
    assert ran.returncode == 1
    assert ran.stdout.splitlines()[0].endswith("2 things to mend")
    assert max(map(len, ran.stdout.splitlines())) <= 80
    assert "\x1b" not in ran.stdout
    for heading in (
        "to mend",
        "captured",
        "sent to",
        "settings",
        "prices",
        "not seen, so in no bill",
    ):
        assert f"\n\n{heading}\n" in ran.stdout
    assert "DD_TRACE_ANTHROPIC_ENABLED=false" in ran.stdout


@pytest.mark.skipif(os.name != "posix", reason="needs a pseudo-terminal")
def test_colour_on_a_terminal(tmp_path: Path) -> None:
    shown = on_a_terminal(environment(tmp_path, TERM="xterm-256color"))
    assert "\x1b[32mall well" in shown


def on_a_terminal(env: dict[str, str]) -> str:
    ours, theirs = os.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "touchdown", "doctor"], stdout=theirs, stderr=theirs, env=env
    ):
        os.close(theirs)
        shown = b""
        # Linux ends a terminal whose other side is closed with an error.
        try:
            while part := os.read(ours, 65_536):
                shown += part
        except OSError:
            pass
    os.close(ours)
    return shown.decode()


def test_it_leaves_nothing_instrumented_where_a_test_captures() -> None:
    with capture():
        assert {sdk.state for sdk in examine().sdks} == {"patched"}
    assert core.active() is None
