"""Two bodies held against each other, one of them with a firmware that was changed."""

import json
from xml.etree import ElementTree as ET

import pytest

from strapline_protocol.command import main
from strapline_simulator.bodies import BODIES, ModelBody
from strapline_simulator.chain import TAG
from strapline_simulator.conform.comparison import compare, difference
from strapline_simulator.conform.reading import Reader
from strapline_simulator.draw import tag_secret
from strapline_simulator.scenario import load_scenario
from strapline_simulator.simulation import Options, run_scenario
from strapline_tag import bench


class Altered(ModelBody):
    """The firmware with another constant: `setting` is what a source would say."""

    setting = ("burst_count", 9)

    def request(self, message):
        if message[0] == bench.BOOT:
            given = json.loads(message[9:])
            given["config"].setdefault(*self.setting)
            message = message[:9] + json.dumps(given).encode()
        return super().request(message)


@pytest.fixture
def altered(monkeypatch):
    monkeypatch.setitem(BODIES, "altered", Altered)


OPTIONS = Options(air="frames")


def strapline(capfd, *arguments):
    try:
        main([*arguments])
    except SystemExit as left:
        return left.code or 0, capfd.readouterr().out
    return 0, capfd.readouterr().out


def test_the_first_frame_of_a_changed_firmware_is_shown_beside_the_others(altered, capfd, tmp_path):
    junit = tmp_path / "conform.xml"
    status, out = strapline(
        capfd, "conform", "strap-cut", "--on", "model", "--on", "altered", "--jobs", "1", "--junit", str(junit)
    )
    assert status == 1
    assert "DIFF  strap-cut: frame " in out
    lines = [line.strip() for line in out.splitlines()]
    assert any(line.startswith("model") or line.endswith("altered") for line in lines)
    assert any(line.startswith(("* counter", "* time")) for line in lines)
    assert "the last that is the same:" in out
    (case,) = ET.parse(junit).iter("testcase")
    failure = case.find("failure")
    assert "the last that is the same" in failure.text
    assert "strapline conform strap-cut --on model --on altered --seed" in failure.text


def test_bodies_that_agree_are_told_so(capfd):
    status, out = strapline(capfd, "conform", "strap-glitch", "--on", "model", "--on", "model", "--jobs", "1")
    assert status == 0
    assert out.splitlines() == ["same  strap-glitch", "1 scenarios on model and model: the same frames, 0 not run"]


def test_a_body_that_falls_silent_differs_where_the_other_goes_on():
    heard = []
    report = run_scenario(load_scenario("strap-glitch"), OPTIONS._replace(body="model", on_frame=heard.append)).report
    secret = tag_secret(load_scenario("strap-glitch").seed)
    sent = [passage for passage in heard if passage.sent]
    assert len(sent) == report.frames.sent
    cut = heard[: heard.index(sent[-1])]
    told = "\n".join(difference(("whole", "short"), (heard, cut), secret))
    assert f"frame {len(sent)} differs" in told
    assert "no frame: it has sent no more" in told
    assert difference(("whole", "whole"), (heard, list(heard)), secret) == []


def test_every_frame_of_a_tag_that_gets_new_keys_is_read():
    heard = []
    scenario = load_scenario("new-keys")
    run_scenario(scenario, OPTIONS._replace(body="model", on_frame=heard.append))
    reader = Reader(TAG, tag_secret(scenario.seed))
    kinds = set()
    for passage in heard:
        rows = {row.name: row.value for row in reader.read(passage)}
        assert rows.get("opened") != "no", rows
        kinds.add(rows.get("envelope", rows["frame"]))
    assert {"heartbeat", "hello", "welcome", "reply", "event", "receipt", "rekey"} <= kinds


def test_another_time_of_the_same_frames_is_no_difference(altered, monkeypatch):
    monkeypatch.setattr(Altered, "setting", ("burst_count", 10))
    found = compare("strap-glitch", ("model", "altered"), OPTIONS)
    assert found.same
    assert found.digests[0] == found.digests[1]


class Crashing(ModelBody):
    """A body whose driver has a fault, once the tag is armed."""

    def request(self, message):
        if message[0] == bench.KEY:
            raise RuntimeError("a fault of ours")
        return super().request(message)


def test_a_run_that_crashes_is_one_difference_and_the_others_go_on(monkeypatch, capfd):
    monkeypatch.setitem(BODIES, "crashing", Crashing)
    names = ("strap-glitch", "strap-cut")
    status, out = strapline(capfd, "conform", *names, "--on", "model", "--on", "crashing", "--jobs", "1")
    assert status == 1
    assert [line.split()[:2] for line in out.splitlines() if line.startswith("DIFF")] == [
        ["DIFF", f"{n}:"] for n in names
    ]
    assert "RuntimeError: a fault of ours" in out


@pytest.mark.parametrize("bodies", [["model"], ["model", "model", "micropython"]])
def test_it_takes_two_bodies(capfd, bodies):
    given = [word for body in bodies for word in ("--on", body)]
    with pytest.raises(SystemExit) as left:
        main(["conform", "strap-cut", *given])
    assert left.value.code == 2
    assert "give --on twice" in capfd.readouterr().err
