"""A user's own folder with a rig file in it, where pytest runs inside this one."""

import textwrap
from xml.etree import ElementTree as ET

import pytest

import strapline_hil.plugin.bench  # noqa: F401 - loaded once: what an inner run imports is forgotten at its end

RIG = """\
rig: on the desk
target: {board: virtual-board}
resources:
  relays: {driver: lcus-relay}
  bench: {driver: bench-board}
instruments:
  strap: {driver: strap-relay, on: relays, channels: {open: 1, bypass: 2, lengthen: 3}}
  contacts: {driver: contacts, on: relays, channels: {case_open: 4, charging: 5, immersed: 6, button: 7}}
  heat: {driver: heater, on: bench}
  supply: {driver: scpi-supply}
  hand: {driver: by-hand}
"""


class UsersFolder:
    """Where a user works."""

    def __init__(self, pytester):
        self.pytester = pytester
        self.path = pytester.path
        self.write("rig.yaml", RIG)

    def write(self, name, text):
        (self.path / name).write_text(textwrap.dedent(text), encoding="utf-8")

    def run(self, *arguments, rig="rig.yaml"):
        options = ("--rig", rig) if rig else ()
        fixed = ("-p", "no:randomly", "-p", "no:cacheprovider", "-W", "error", "--strict-markers", "--junit-xml=j.xml")
        return self.pytester.runpytest_inprocess(*fixed, *options, *arguments)

    @property
    def cases(self):
        """By the test's name: its properties, and the first line of its failure."""
        found = {}
        for case in ET.parse(self.path / "j.xml").iter("testcase"):
            told = {one.get("name"): one.get("value") for one in case.iter("property")}
            for kind in ("failure", "error", "skipped"):
                if (bad := case.find(kind)) is not None:
                    told[kind] = (bad.get("message") or "").split("\n")[0]
            found[case.get("name")] = told
        return found


@pytest.fixture
def folder(pytester, monkeypatch):
    monkeypatch.delenv("STRAPLINE_RIG", raising=False)
    return UsersFolder(pytester)
