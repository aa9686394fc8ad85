"""`strapline hil`: init, check, schema, soak."""

import json
from pathlib import Path

import jsonschema
import pytest
import typer
from ruamel.yaml import YAML
from typer.testing import CliRunner

from strapline_hil import command
from strapline_hil.pty_board import PtyBoard
from strapline_hil.rig import schema
from strapline_hil.rig.file import load_rig
from strapline_protocol.errors import UserError

FILE = Path(__file__).parents[3] / "docs" / "rig.schema.json"
HOLDS_OPEN = {"processes", "threads", "ports", "files"}


@pytest.fixture
def run():
    app = typer.Typer()
    command.register(app)

    def run(*words):
        return CliRunner().invoke(app, ["hil", *map(str, words)])

    return run


@pytest.fixture
def validator():
    return jsonschema.Draft7Validator(json.loads(FILE.read_text("utf-8")))


def plain(value):
    return json.loads(json.dumps(value))


@pytest.mark.parametrize("more", [["--virtual"], []])
def test_a_file_to_begin_with_is_right_and_commented(more, run, tmp_path, validator):
    path = tmp_path / "rig.yaml"
    assert run("init", *more, path).exit_code == 0
    assert load_rig(path).is_virtual == bool(more)
    assert "# " in path.read_text("utf-8")
    assert list(validator.iter_errors(plain(YAML(typ="safe").load(path)))) == []


def test_a_file_that_is_there_is_not_written_over(run, tmp_path):
    path = tmp_path / "rig.yaml"
    path.write_text("mine")
    refused = run("init", "--virtual", path)
    assert isinstance(refused.exception, UserError)
    assert "--force" in str(refused.exception)
    assert path.read_text() == "mine"
    assert run("init", "--virtual", "--force", path).exit_code == 0
    assert load_rig(path).is_virtual


def test_a_walk_through_a_virtual_rig_asks_nobody(run, rig_path):
    came = run("check", rig_path)
    assert came.exit_code == 0, came.output
    lines = came.output.splitlines()
    assert sum(line.endswith(": ok") for line in lines) > 25
    assert any("the tag tells `strap_open`" in line for line in lines)
    assert lines[-1] == f"All is well: pytest --rig {rig_path}"


def test_a_walk_tells_what_is_wrong_and_what_it_did_not_try(run, tmp_path):
    path = tmp_path / "desk.yaml"
    run("init", path)
    path.write_text(path.read_text("utf-8").replace("/dev/ttyUSB0", str(tmp_path / "nothing")), "utf-8")
    came = run("check", "--parts", path)
    assert came.exit_code == 1
    assert "no such port; plug it in" in came.output
    assert "strap     its relays are there, and the loop is as it should be: not tried, without relays" in came.output


BOARD_DESK = "rig: desk\ntarget: {{board: {board}, port: {port}, keys: keys, unique_id: {unique_id}}}\n"


@pytest.mark.parametrize(
    ("board", "unique_id", "wrong"),
    [
        ("virtual-board", "0a0b", ""),
        ("virtual-board", "0a0c", "this board has id 0a0b, and 0a0c is meant"),
        ("pico-w", "0a0b", "means what calls itself 'Raspberry Pi Pico W with RP2040'"),
    ],
)
def test_a_walk_asks_the_tags_board_who_it_is(board, unique_id, wrong, run, tmp_path):
    flash = tmp_path / "flash"
    flash.mkdir()
    with PtyBoard(flash, unique_id=bytes.fromhex("0a0b")) as there:
        path = tmp_path / "desk.yaml"
        path.write_text(BOARD_DESK.format(board=board, port=there.port, unique_id=f"'{unique_id}'"), "utf-8")
        came = run("check", "--parts", path)
    assert came.exit_code == (1 if wrong else 0), came.output
    assert wrong in came.output
    assert "MicroPython answers" in came.output


def test_a_mistake_in_the_file_is_told_before_anything_moves(run, tmp_path):
    path = tmp_path / "rig.yaml"
    path.write_text("rig: x\ntarget: {board: toaster}\n")
    assert isinstance(run("check", path).exception, UserError)


def test_the_shipped_schema_is_up_to_date(run):
    assert schema.main([str(FILE), "--check"]) == 0
    assert run("schema").output == FILE.read_text("utf-8")


def test_an_editor_marks_what_the_loader_refuses(validator):
    rig = {"rig": "x", "target": {"board": "pico-w"}, "instruments": {}}
    assert list(validator.iter_errors(rig)) == []
    for wrong in ({"heating": {}}, {"heat": {"driver": "ppk2"}}, {"meter": {"driver": "ppk2", "prot": "x"}}):
        assert list(validator.iter_errors(rig | {"instruments": wrong})), wrong


def test_a_soak_counts_what_stays_open(run, rig_path):
    came = run("soak", rig_path, "--hours", "0.5")
    assert came.exit_code == 0, came.output
    told = json.loads(came.stdout)
    assert told["scenarios"] == 2
    assert told["leaked"] == {}
    assert set(told["before"]) == set(told["after"]) == HOLDS_OPEN
