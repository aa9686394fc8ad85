"""A deaf radio told from a quiet house."""

import pytest

from strapline_gateway.hearing import CANNOT_START_S, DEAF_AFTER_S, LONGEST_PAUSE_S, Hearing
from strapline_protocol.notices import MEANINGS, NoticeCode

DEAF, BACK, RESTARTED = NoticeCode.RADIO_DEAF, NoticeCode.RADIO_BACK, NoticeCode.RADIO_RESTARTED


def told(hearing):
    notices = []
    while (notice := hearing.next_notice()) is not None:
        notices.append(notice.code)
    return notices


def restart(hearing, now):
    hearing.silent(now)
    hearing.started(now)


def test_silence_after_others_were_heard_is_deafness_told_once():
    hearing = Hearing()
    hearing.started(0.0)
    hearing.heard("tag", 5.0, ours=True)
    hearing.heard("neighbour", 10.0, ours=False)
    assert hearing.silent_at == 10.0 + DEAF_AFTER_S
    restart(hearing, 100.0)
    restart(hearing, 190.0)
    assert told(hearing) == [DEAF]
    assert hearing.deaf
    hearing.heard("tag", 300.0, ours=True)
    assert told(hearing) == [BACK]
    assert not hearing.deaf
    assert hearing.restarts == 0
    hearing.heard("tag", 301.0, ours=True)
    restart(hearing, 400.0)
    assert told(hearing) == [DEAF]  # the next episode


def test_a_tag_that_leaves_an_empty_house_is_no_deafness_and_the_radio_is_restarted_ever_more_rarely():
    hearing = Hearing()
    hearing.started(0.0)
    hearing.heard("tag", 10.0, ours=True)
    pauses, now = [], 10.0
    for _ in range(8):
        pauses.append(hearing.silent_at - now)
        now = hearing.silent_at
        restart(hearing, now)
    assert pauses == [90, 90, 180, 360, 720, LONGEST_PAUSE_S, LONGEST_PAUSE_S, LONGEST_PAUSE_S]
    hearing.heard("tag", now + 1, ours=True)
    assert told(hearing) == []


def test_it_is_deafness_alone_too_where_an_installer_says_so():
    hearing = Hearing(deaf_when_alone=True)
    hearing.started(0.0)
    restart(hearing, 90.0)
    assert told(hearing) == [DEAF]


@pytest.mark.parametrize(("restarts", "codes"), [(1, [RESTARTED]), (2, [RESTARTED]), (3, [])])
def test_a_silence_that_one_of_the_first_restarts_seems_to_end_is_on_record_and_no_alert(restarts, codes):
    hearing = Hearing()
    hearing.started(0.0)
    hearing.heard("tag", 1.0, ours=True)
    for _ in range(restarts):
        restart(hearing, now := hearing.silent_at)
    hearing.heard("tag", now + 2, ours=True)
    assert told(hearing) == codes
    assert not any(MEANINGS[code].alert for code in codes)


def test_who_is_heard_some_time_after_a_restart_has_come_home():
    hearing = Hearing()
    hearing.started(0.0)
    hearing.heard("tag", 1.0, ours=True)
    restart(hearing, 91.0)
    hearing.heard("tag", 99.0, ours=True)
    assert told(hearing) == []


@pytest.mark.parametrize(("addresses", "deaf"), [(2, False), (3, True)])
def test_three_addresses_at_a_time_are_company(addresses, deaf):
    hearing = Hearing()
    hearing.started(0.0)
    for number in range(addresses):
        hearing.heard(f"tag-{number}", 10.0 + number, ours=True)
    restart(hearing, 110.0)
    assert hearing.deaf == deaf


def test_company_of_hours_ago_is_none():
    hearing = Hearing()
    hearing.started(0.0)
    hearing.heard("passer-by", 10.0, ours=False)
    for now in range(20, 7200, 10):
        hearing.heard("tag", float(now), ours=True)
    restart(hearing, 7300.0)
    assert told(hearing) == []


def test_a_radio_that_cannot_be_started_is_told_when_that_lasts_and_back_when_it_starts():
    hearing = Hearing()
    hearing.failed(0.0)
    hearing.failed(CANNOT_START_S - 1)
    assert told(hearing) == []
    hearing.failed(CANNOT_START_S)
    hearing.failed(CANNOT_START_S + 60)
    assert told(hearing) == [DEAF]
    hearing.started(100.0)
    assert told(hearing) == [BACK]
    hearing.failed(200.0)
    assert told(hearing) == []


def test_a_deaf_radio_that_only_starts_again_is_not_back():
    hearing = Hearing()
    hearing.started(0.0)
    hearing.heard("neighbour", 1.0, ours=False)
    hearing.silent(91.0)
    hearing.failed(91.0)
    hearing.failed(110.0)
    hearing.started(120.0)
    assert told(hearing) == [DEAF]
