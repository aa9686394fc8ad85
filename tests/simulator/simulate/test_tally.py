"""What was sent and what was receipted, read from a tag's own frames."""

import pytest

from strapline_protocol.codes import Kind
from strapline_simulator.chain import TAG
from strapline_simulator.conform.reading import Opener
from strapline_simulator.draw import tag_secret
from strapline_simulator.scenario import load_scenario
from strapline_simulator.simulate.tally import Tally
from strapline_simulator.simulation import Options, run_scenario

RECEIPTS = (Kind.RECEIPT, Kind.RECEIPT_FAR)


@pytest.fixture(scope="module")
def life():
    """(the frames of a tag, its secret, how many records the centre has)."""
    heard = []
    scenario = load_scenario("r02-alarm-on-a-lossy-link")
    report = run_scenario(scenario, Options(body="model", air="frames", on_frame=heard.append)).report
    return heard, tag_secret(scenario.seed), report.ledger.received


def counted(life, *, keep=lambda _opened: True, last=None):
    heard, secret, _ = life
    now = iter(range(1_000_000))
    tally = Tally(lambda: float(next(now)))
    tag = tally.tag(TAG, secret)
    if last is not None:
        tag.close_at(last)
    opener = Opener(TAG, secret)
    for passage in heard:
        opened = opener.open(passage)
        if passage.sent or opened is None or opened.envelope is None or keep(opened):
            tag.take(passage)
    assert tag.unread == 0
    return tally.counts([0])


def test_every_record_of_a_run_that_lost_none_is_acknowledged(life):
    counts = counted(life)
    assert counts.sent == counts.acknowledged == life[2] > 5
    assert counts.missing == counts.refused == 0
    assert counts.p50_s <= counts.p99_s <= counts.longest_s


def test_without_receipts_all_that_was_sent_is_missing(life):
    counts = counted(life, keep=lambda opened: opened.envelope.kind not in RECEIPTS)
    assert counts.missing == counts.sent == life[2]
    assert counts.acknowledged == 0
    assert counts.p50_s is None


def test_what_comes_after_the_end_does_not_count(life):
    counts = counted(life, last=3)
    assert counts.sent == counts.acknowledged == 3


def test_frames_under_another_key_are_told_apart(life):
    tag = Tally(lambda: 0.0).tag(TAG, bytes(16))
    for passage in life[0]:
        tag.take(passage)
    assert tag.unread > 0
    assert tag.sent == 0
