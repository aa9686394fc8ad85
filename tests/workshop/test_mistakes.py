"""What people get wrong at the command line: each is one clear line on standard error and exit status 2, and nothing is made by it."""

import json
import socket

import pytest

from strapline_protocol.command import main

GATEWAY = """format = 1
[gateway]
id = "6a7e0001"
state = "{state}"
links = ["tcp:127.0.0.1:0"]
[keys]
centre = "{key}"
tags = "{tags}"
[broker]
url = "mqtt://127.0.0.1:1"
[metrics]
address = "{metrics}"
"""
CENTRE = """format = 1
[centre]
state = "centre"
[broker]
url = "mqtt://127.0.0.1:1"
[tags]
keys = "centre.json"
[ledger]
url = "{ledger}"
[[gateway]]
id = "6a7e0001"
key = "link.key"
{more}
"""
PERSON = '[[person]]\ntag = "7a900001"\nmay_leave = ["{}"]'

# (the configuration's differences, the command behind which it stands, a part of what is told)
GATEWAY_MISTAKES = [
    ({"key": "missing"}, "gateway run", "cannot be read (No such file or directory); make it"),
    ({"key": "folder"}, "gateway run", "no file with a secret"),
    ({"key": "seen.key"}, "gateway run", "chmod 600"),
    ({"key": "long.key"}, "gateway run", "64 hexadecimal digits"),
    ({"tags": "folder"}, "gateway run", "no key file"),
    ({"tags": "t" * 300}, "gateway run", "File name too long"),
    ({"tags": "centre.json"}, "gateway run", "a gateway's key file holds"),
    ({"state": "file"}, "gateway run", "name a folder of its own"),
    ({"metrics": "..:9477"}, "gateway run", '".." is no host'),
    ({"metrics": "127.0.0.1:{taken}"}, "gateway run", "Address already in use"),
    ({"tags": "file/x/tags.json"}, "gateway enrol gateway.json", "cannot be made (Not a directory)"),
    ({}, "gateway enrol missing.json", "cannot be read"),
    ({}, "gateway enrol centre.json", "a gateway's key file holds"),
    ({}, "gateway enrol gateway.json --tag 7A900001", "it holds 7a900001"),
    ({}, "gateway withdraw 7A900001", "no tag '7A900001' is enrolled"),
    ({}, "gateway keys rotate --finish", "no change is under way"),
    ({}, "gateway range-test 7a900001", "nothing runs there"),
]
CENTRE_MISTAKES = [
    ({"ledger": "mysql://root:geheim@host/x"}, "centre run", "no database's URL"),
    ({"ledger": "postgresql://user:geheim@[::1"}, "centre run", "the database's URL cannot be read"),
    ({"ledger": "postgresql://host:port/x"}, "centre run", "the database's URL cannot be read"),
    ({}, "centre alerts", "not there yet"),
    ({}, "centre export --out export.jsonl", "not there yet"),
    ({}, "centre ack 1 --by primary --note x", "nothing runs there"),
    ({}, "centre locate 7a900001 --within soon", "write 90s, 10min or 1h"),
    ({}, "centre zones 7a900001 deep.json", "no JSON that can be read"),
    ({"more": PERSON.format("07:00Z-08:00")}, "centre run", "has a time zone"),
    ({"more": PERSON.format("7-8")}, "centre run", "is no window"),
    ({"more": '[hook]\ncommand = ["/nowhere/tell"]'}, "centre run", "nobody would be told"),
    ({"more": '[[escalation]]\nafter_min = 1\nrole = " "'}, "centre run", "no role"),
]
OTHER_MISTAKES = [
    ("centre import missing --into sqlite:///imported.sqlite", "cannot be read"),
    ("centre verify deep.json --keys centre.json", "no JSON object"),
    ("centre config --check folder", "Is a directory"),
    ("gateway keys new link.key", "is there already"),
    ("gateway keys new folder/no/x", "cannot be written"),
    ("certificates new --gateway 6A7E0001", "eight digits of 0-9 and a-f"),
    ("certificates new --broker bröker", "no host's name or address"),
    ("certificates new --broker=", "no host's name or address"),
    ("certificates file --centre", "choose another folder"),
    ("chaos --runs 0 --json folder", "Is a directory"),
    ("bluez --at nan\xa0cut -- true", "begin with a number of seconds"),
    ("bluez --at -5\xa0cut -- true", "begin with a number of seconds"),
]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    tag = dict.fromkeys(("broadcast", "link", "header"), "00" * 16)
    files = {
        "link.key": "00" * 32, "seen.key": "00" * 32, "long.key": "00" * 33, "file": "x", "deep.json": "[" * 100_000,
        "gateway.json": json.dumps({"format": 1, "tags": {"7a900001": tag}}),
        "centre.json": json.dumps({"format": 1, "tags": {"7a900001": {"end_to_end": "00" * 16}}}),
    }  # fmt: skip
    for name, text in files.items():
        (tmp_path / name).write_text(text + "\n")
        (tmp_path / name).chmod(0o644 if name == "seen.key" else 0o600)
    (tmp_path / "folder").mkdir()
    return tmp_path


def told(capsys, arguments):
    """The one line that it says."""
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    line = capsys.readouterr().err
    assert (ended.value.code, line.count("\n")) == (2, 1), line
    assert line.startswith("strapline: ")
    assert "geheim" not in line
    return line


@pytest.mark.parametrize(("changes", "command", "text"), GATEWAY_MISTAKES)
def test_a_mistake_with_a_gateway_is_one_line(folder, capsys, changes, command, text):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        values = {"state": "state", "key": "link.key", "tags": "state/tags.json", "metrics": "127.0.0.1:0"} | changes
        config = GATEWAY.format(**values).replace("{taken}", str(taken.getsockname()[1]))
        (folder / "gateway.toml").write_text(config)
        assert text in told(capsys, [*command.split(), "--config", "gateway.toml"])


@pytest.mark.parametrize(("changes", "command", "text"), CENTRE_MISTAKES)
def test_a_mistake_with_a_centre_is_one_line_and_makes_no_ledger(folder, capsys, changes, command, text):
    ledger = f"sqlite:///{folder}/ledger.sqlite"
    (folder / "centre.toml").write_text(CENTRE.format(**({"ledger": ledger, "more": ""} | changes)))
    assert text in told(capsys, [*command.split(), "--config", "centre.toml"])
    assert not list(folder.rglob("*.sqlite"))


@pytest.mark.parametrize(("command", "text"), OTHER_MISTAKES)
def test_a_mistake_elsewhere_is_one_line(folder, capsys, command, text):
    before = set(folder.iterdir())
    assert text in told(capsys, [word.replace("\xa0", " ") for word in command.split(" ")])
    assert set(folder.iterdir()) == before


def test_a_centre_that_hears_nobody_or_has_another_format_is_told_when_it_is_checked(folder, capsys):
    lines = CENTRE.format(ledger="", more="").replace("format = 1", "format = 2")
    (folder / "centre.toml").write_text(lines)
    assert "format" in told(capsys, ["centre", "config", "--check", "centre.toml"])
    (folder / "centre.toml").write_text(CENTRE.format(ledger="", more="").split("[[gateway]]")[0])
    assert "takes nobody's word" in told(capsys, ["centre", "config", "--check", "centre.toml"])
