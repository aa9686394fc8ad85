"""The roof over the parts' commands: what a user's mistake looks like, and what a bug looks like."""

import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import EntryPoint
from pathlib import Path
from types import ModuleType

import pytest
import typer

from strapline_protocol import parts
from strapline_protocol.command import main
from strapline_protocol.errors import UserError

STRAPLINE = Path(sys.executable).with_name("strapline")


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([STRAPLINE, *arguments], capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture
def hand_in(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Replace the installed parts by one, `toys`, with a single command `play`."""

    def with_command(play: Callable[[], None], value: str = "toys_command:register") -> None:
        def register(app: typer.Typer) -> None:
            app.command("play")(play)

        module = ModuleType("toys_command")
        module.__dict__["register"] = register
        monkeypatch.setitem(sys.modules, "toys_command", module)
        entry = EntryPoint(name="toys", value=value, group="strapline.commands")
        monkeypatch.setattr(parts, "entry_points", lambda group: [entry] if group == entry.group else [])

    return with_command


def exit_status(*arguments: str) -> int:
    with pytest.raises(SystemExit) as left:
        main(arguments)
    return int(left.value.code or 0)


def test_version_is_the_distributions() -> None:
    done = run("--version")
    assert (done.returncode, done.stdout) == (0, "strapline 0.1.0\n")


def test_help_names_the_commands_of_every_installed_part() -> None:
    done = run("--help")
    assert done.returncode == 0
    assert "doctor" in done.stdout
    assert "boards" in done.stdout


def test_a_wrong_option_is_a_usage_error_without_a_traceback() -> None:
    done = run("doctor", "--no-such-option")
    assert done.returncode == 2
    assert "No such option" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_unknown_command_is_a_usage_error(hand_in: Callable[..., None], capsys: pytest.CaptureFixture[str]) -> None:
    hand_in(lambda: None)
    assert exit_status("work") == 2
    assert "No such command 'work'" in capsys.readouterr().err


def test_a_parts_command_runs(hand_in: Callable[..., None], capsys: pytest.CaptureFixture[str]) -> None:
    hand_in(lambda: typer.echo("played"))
    assert exit_status("play") == 0
    assert capsys.readouterr().out == "played\n"


def test_a_users_mistake_is_one_line_and_status_2(
    hand_in: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    def play() -> None:
        raise UserError("toys.yaml:3: no ball named 'blue'; there is 'red'")

    hand_in(play)
    assert exit_status("play") == 2
    assert capsys.readouterr() == ("", "strapline: toys.yaml:3: no ball named 'blue'; there is 'red'\n")


def test_a_bug_keeps_its_exception(hand_in: Callable[..., None]) -> None:
    def play() -> None:
        raise ZeroDivisionError

    hand_in(play)
    with pytest.raises(ZeroDivisionError):
        main(["play"])


@pytest.mark.parametrize("module", ["strapline_toys.command", "no_such_library"])
def test_a_part_that_is_not_installed_is_named_when_its_command_is_asked_for(
    hand_in: Callable[..., None], capsys: pytest.CaptureFixture[str], module: str
) -> None:
    hand_in(lambda: None, f"{module}:register")
    assert exit_status("play") == 2
    message = capsys.readouterr().err
    assert message.count("\n") == 1
    assert "pip install 'strapline[toys]'" in message
    assert exit_status("--help") == 0
    assert "toys" not in capsys.readouterr().out


def test_a_library_that_is_missing_when_the_command_runs_is_named(
    hand_in: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    def play() -> None:
        import no_such_library  # type: ignore[import-not-found]  # noqa: F401

    hand_in(play)
    assert exit_status("play") == 2
    message = capsys.readouterr().err
    assert message.count("\n") == 1
    assert "pip install 'strapline[toys]'" in message


def test_a_missing_module_of_our_own_is_a_bug_and_not_a_missing_library(
    hand_in: Callable[..., None], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "strapline_broken.py").write_text("import strapline_protocol.no_such_module\n")
    monkeypatch.syspath_prepend(tmp_path)
    hand_in(lambda: None, "strapline_broken:register")
    with pytest.raises(ModuleNotFoundError, match="no_such_module"):
        main(["play"])


def test_a_missing_extra_in_a_real_process_is_one_line() -> None:
    hide = "import sys; sys.modules['serial'] = None; from strapline_protocol.command import main; main(['boards'])"
    done = subprocess.run([sys.executable, "-c", hide], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "strapline[hil]" in done.stderr


def test_help_waits_for_no_heavy_library() -> None:
    """Each command imports its own when it runs: all of them together take three times as long as the rest."""
    told = (
        "import sys; from strapline_protocol.command import main\n"
        "try: main(['--help'])\n"
        "finally: print('heavy:', *sorted({'amqtt', 'bleak', 'bumble', 'jinja2', 'paho', 'sqlalchemy'} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout.splitlines()[-1] == "heavy:", done.stderr
