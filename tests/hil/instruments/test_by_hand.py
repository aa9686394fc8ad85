"""A person as an instrument: asked in one line, waited for, and missed where nobody is there."""

import os
import pty

import pytest

from strapline_hil.instruments.by_hand import (
    WORDS,
    ContactsByHand,
    HeatByHand,
    MainsByHand,
    MotionByHand,
    StrapByHand,
)
from strapline_hil.verdict import RigError


@pytest.fixture
def terminal(monkeypatch):
    """A real terminal as stdin; gives the end where the person sits."""
    person, shell = pty.openpty()
    with os.fdopen(shell, encoding="utf-8") as stdin:
        monkeypatch.setattr("sys.stdin", stdin)
        yield person
    os.close(person)


def test_a_person_is_asked_in_one_line_and_waited_for(terminal, capsys):
    os.write(terminal, b"\n\n")
    strap = StrapByHand()
    strap.cut()
    strap.hold_key()
    assert capsys.readouterr().err == (
        "Please open the tag's strap, then press Enter: "
        "Please hold the electronic key to the tag until it vibrates, then press Enter: "
    )


def test_where_nobody_sits_it_is_the_rigs(monkeypatch, tmp_path):
    with (tmp_path / "empty").open("w+") as stdin:
        monkeypatch.setattr("sys.stdin", stdin)
        with pytest.raises(RigError, match="nobody is there to open the tag's strap; run this at a terminal"):
            StrapByHand().cut()


def test_a_terminal_that_is_closed_is_the_rigs(terminal):
    os.write(terminal, b"\x04")  # the end of input
    with pytest.raises(RigError, match="nobody answered"):
        MainsByHand().off()


def test_all_that_is_asked_is_a_line_that_goes_on_from_please():
    asked = []
    strap, contacts = StrapByHand(asked.append), ContactsByHand(asked.append)
    strap.mend()
    strap.set_ohm(180)
    for contact in WORDS:
        contacts.set(contact, True)
        contacts.set(contact, False)
    HeatByHand(asked.append).set(3300, -500)
    MotionByHand(asked.append).play(25, bytes(6 * 100))
    MotionByHand(asked.append).still()
    MainsByHand(asked.append).on()
    assert len(asked) == len(set(asked)) == 6 + 2 * len(WORDS)
    assert all(line and line[0].islower() and "\n" not in line and not line.endswith(".") for line in asked)
    assert "shake the tag for 4 s" in asked
    assert any("33.0 °C" in line and "-5.0 °C" in line for line in asked)
    with pytest.raises(RigError, match="no contact elbow"):
        contacts.set("elbow", True)
