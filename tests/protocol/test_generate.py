"""Generated files and their definitions cannot part company unnoticed."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import construct
import pytest

from strapline_protocol import codec, definitions, generate
from strapline_protocol.layout import Frame
from strapline_wire.errors import LocalProtocolError, RemoteProtocolError

CHECKOUT = Path(__file__).parents[2]
GENERATED = (
    "protocol/strapline_wire/frames.py",
    "protocol/strapline_wire/frames.pyi",
    "protocol/strapline_wire/documents.py",
    "protocol/strapline_wire/documents.pyi",
    "tests/vectors/frames.json",
    "docs/protocol-frames.md",
    "docs/strapline.lua",
    "docs/asyncapi.json",
)


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the generated files, with the generator standing in it."""
    for name in GENERATED:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(CHECKOUT / name, tmp_path / name)
    monkeypatch.setattr(generate, "__file__", str(tmp_path / "protocol/strapline_protocol/generate.py"))
    return tmp_path


def narrower_battery() -> tuple[Frame, ...]:
    """The frames, with a heartbeat whose battery may be 99 at most."""
    fields = []
    for field in definitions.FRAMES[0].layout.subcons:
        bounded = definitions.Bounded(construct.Int8ub, "%", 0, 99)
        fields.append(field.name / bounded if field.name == "battery_percent" else field)
    return (definitions.FRAMES[0]._replace(layout=construct.Struct(*fields)), *definitions.FRAMES[1:])


def checked(checkout: Path) -> subprocess.CompletedProcess[str]:
    """The command as `make check` runs it."""
    return subprocess.run(
        [sys.executable, "-m", "strapline_protocol.generate", "--check"],
        cwd=checkout,
        env={**os.environ, "PYTHONPATH": str(checkout / "protocol")},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_checkout_has_not_drifted() -> None:
    done = checked(CHECKOUT)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_command_fails_where_a_file_was_edited_by_hand(tmp_path: Path) -> None:
    shutil.copytree(CHECKOUT / "protocol", tmp_path / "protocol", ignore=shutil.ignore_patterns("__pycache__"))
    for name in GENERATED:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(CHECKOUT / name, tmp_path / name)
    assert checked(tmp_path).returncode == 0
    page = tmp_path / "docs/protocol-frames.md"
    page.write_text(page.read_text(encoding="utf-8").replace("# Frames", "# Frame"), encoding="utf-8")
    done = checked(tmp_path)
    assert done.returncode == 1
    assert "docs/protocol-frames.md" in done.stderr
    assert page.read_text(encoding="utf-8").count("# Frames") == 0


def test_a_true_copy_passes_and_nothing_is_said(checkout: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert generate.main(["--check"]) == 0
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("name", GENERATED)
@pytest.mark.parametrize("edit", ["appended", "one digit", "gone"])
def test_a_file_edited_by_hand_fails_the_check_is_named_and_stays_as_it_is(
    checkout: Path, capsys: pytest.CaptureFixture[str], name: str, edit: str
) -> None:
    path = checkout / name
    text = path.read_text(encoding="utf-8")
    if edit == "appended":
        path.write_text(text + "\n", encoding="utf-8")
    elif edit == "one digit":
        digit = next(i for i, letter in enumerate(text) if letter in "2346789")
        path.write_text(text[:digit] + "5" + text[digit + 1 :], encoding="utf-8")
    else:
        path.unlink()
    edited = path.read_text(encoding="utf-8") if path.exists() else None
    assert generate.main(["--check"]) == 1
    told = capsys.readouterr().err.splitlines()
    assert len(told) == 1
    assert told[0].startswith(f"{name} is not what the definitions give")
    assert (path.read_text(encoding="utf-8") if path.exists() else None) == edited


def test_generating_mends_what_drifted_and_touches_nothing_else(
    checkout: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    originals = {name: (checkout / name).read_bytes() for name in GENERATED}
    untouched = {name: (checkout / name).stat().st_mtime_ns for name in GENERATED[1:]}
    (checkout / GENERATED[0]).write_text("HEARTBEAT = 2\n", encoding="utf-8")
    assert generate.main([]) == 0
    assert capsys.readouterr().out == f"wrote {GENERATED[0]}\n"
    assert generate.main(["--check"]) == 0
    assert {name: (checkout / name).read_bytes() for name in GENERATED} == originals
    assert {name: (checkout / name).stat().st_mtime_ns for name in GENERATED[1:]} == untouched


def test_a_changed_range_drifts_every_file_that_shows_it_until_generated(
    checkout: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(generate, "FRAMES", narrower_battery())
    assert generate.main(["--check"]) == 1
    told = [line.split()[0] for line in capsys.readouterr().err.splitlines()]
    assert told == [GENERATED[0], GENERATED[4], GENERATED[5]]  # types know no ranges
    assert generate.main([]) == 0
    assert generate.main(["--check"]) == 0


def test_the_generated_codec_keeps_a_changed_range() -> None:
    space: dict[str, object] = {}
    exec(codec.frames_source("a test", narrower_battery()), space)
    pack, unpack = space["pack_heartbeat"], space["unpack_heartbeat"]
    assert callable(pack)
    assert callable(unpack)
    assert pack((0, 0, 99, 0, 0)).hex() == "00000063000000"
    with pytest.raises(LocalProtocolError):
        pack((0, 0, 100, 0, 0))
    with pytest.raises(RemoteProtocolError):
        unpack(bytes.fromhex("00000064000000"))


def test_generating_twice_gives_the_same() -> None:
    assert generate.outputs(CHECKOUT) == generate.outputs(CHECKOUT)


def test_the_docs_show_every_field_of_every_frame() -> None:
    page = (CHECKOUT / "docs/protocol-frames.md").read_text(encoding="utf-8")
    sections = {part.split(" ", 1)[0].strip(): part for part in page.split("\n## ")[1:]}
    for frame in definitions.FRAMES:
        section = sections[frame.kind.name]
        assert f"(0x{frame.kind.value:02x})" in section
        for field in frame.layout.subcons:
            assert f"| `{field.name}` |" in section
