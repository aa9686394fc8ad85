"""R41: what comes between gateway and centre may alter, drop, reorder and repeat. Two real brokers, and a carrier who does."""

import asyncio
import json
from random import Random

import pytest

from between import GATEWAY, KEY, OTHER_GATEWAY, honest, house, until
from strapline_gateway.outbox import HISTORY_LANE
from strapline_protocol import contract
from strapline_protocol.notices import Notice, NoticeCode

pytestmark = pytest.mark.usefixtures("no_leaked_threads")


@pytest.fixture
def at_the_ends(mosquitto_with, tmp_path):
    """Run `story(ends, carrier)`."""

    def run(story):
        async def main():
            async with house(mosquitto_with(), mosquitto_with(), tmp_path) as (ends, carrier):
                await story(ends, carrier)

        asyncio.run(main())

    return run


def flipped(payload, at):
    changed = bytearray(payload)
    changed[at // 8] ^= 1 << at % 8
    return bytes(changed)


def test_whatever_is_altered_is_refused_and_counted_and_comes_again(at_the_ends):
    """Each message of the first delivery, in both directions, has a bit flipped."""

    async def story(ends, carrier):
        draw = Random(41)
        altered = []

        def alter(up, topic, payload):
            if (up, payload) in altered or len([one for one in altered if one[0] == up]) >= 20:
                return [(topic, payload)]
            altered.append((up, payload))
            return [(topic, flipped(payload, draw.randrange(8 * len(payload))))]

        await until(lambda: ends.centre.gateway_states)
        carrier.meddle = alter
        ends.hear(20)
        ends.relay.keep(Notice(NoticeCode.CASE_OPENED))
        ends.relay.publish_due()
        await until(lambda: sum(ends.centre.rejected.values()) == 20)
        # A flipped bit spoils the seal, or the JSON around it; nothing of it is kept.
        assert set(ends.centre.rejected) <= {"forged", "malformed"}
        assert len(list(ends.ledger.entries())) <= 1
        # So many are no accident: a person must look.
        assert [alert.code for alert in ends.centre.alerts.alerts].count("tampered") == 1
        await ends.delivered(20)
        assert sum(ends.relay.rejected.values()) == 20
        assert ends.ledger.conflicts == 0
        assert not ends.ledger.gaps(ends.tag.ident, ends.tag.journal)

    at_the_ends(story)


def test_a_message_moved_to_other_topics_is_refused(at_the_ends):
    async def story(ends, carrier):
        def move(up, topic, payload):
            if not up:
                return []
            moved = [topic.replace(GATEWAY, OTHER_GATEWAY), topic.replace(ends.tag.ident, "7a900002")]
            moved.append(topic.replace("/event/", "/position/"))
            return [(one, payload) for one in moved if one != topic]

        await until(lambda: ends.centre.gateway_states)
        carrier.meddle = move
        ends.keep(ends.tag.event())
        await until(lambda: ends.centre.rejected["forged"] == 3)
        assert "tampered" not in [alert.code for alert in ends.centre.alerts.alerts]
        assert not ends.sequences()
        carrier.meddle = honest
        await ends.delivered(1)

    at_the_ends(story)


def test_what_is_replayed_is_stored_once_and_changes_nothing(at_the_ends):
    async def story(ends, carrier):
        carrier.meddle = lambda _up, topic, payload: [(topic, payload)] * 3
        ends.hear(20)
        await ends.delivered(20)
        entries = list(ends.ledger.entries())
        alerts = list(ends.centre.alerts.alerts)
        recording = list(carrier.seen)
        carrier.meddle = honest
        # An online from before must not hide a later word: the gateway has said goodbye.
        before = ends.ledger.duplicates
        ends.relay._say("offline")
        await until(lambda: ends.centre.gateway_states[GATEWAY] == "offline")
        old = ends.centre.rejected["old_state"]
        for up, topic, payload in recording:
            carrier.send(up, topic, payload)
        records = sum(up and ("/event/" in topic or "/position/" in topic) for up, topic, _ in recording)
        await until(lambda: ends.ledger.duplicates - before >= records)
        await until(lambda: ends.centre.rejected["old_state"] > old)
        assert ends.centre.gateway_states[GATEWAY] == "offline"
        assert list(ends.ledger.entries()) == entries
        assert ends.ledger.conflicts == 0
        assert list(ends.centre.alerts.alerts) == alerts

    at_the_ends(story)


def test_an_old_receipt_lets_nothing_newer_go(at_the_ends):
    """Repeated receipts are genuine, and tell no more than they told."""

    async def story(ends, carrier):
        ends.hear(10)
        await ends.delivered(10)
        receipts = [told for told in carrier.seen if not told[0]]
        carrier.meddle = lambda up, topic, payload: [] if up else [(topic, payload)]
        ends.hear(5)
        for _, topic, payload in receipts:
            carrier.send(False, topic, payload)
        carrier.send(False, *end_mark())
        await until(lambda: ends.relay.rejected.get("forged"))
        assert len(ends.outbox) == 5
        carrier.meddle = honest
        await ends.delivered(15)

    at_the_ends(story)


def end_mark():
    """A message that the gateway counts, behind others."""
    topic = f"strapline/v1/{GATEWAY}/beat"
    message = contract.Message(
        contract.parse_topic(topic), "x", contract.moment({"t": "2026-01-01T00:00:00Z"}, "t"), {}
    )
    return topic, contract.encode(message, bytes(32))


def test_the_order_of_arrival_does_not_matter(at_the_ends):
    async def story(ends, carrier):
        draw, held = Random(7), []

        def shuffle(up, topic, payload):
            if not up:
                return [(topic, payload)]
            held.append((topic, payload))
            if len(held) < 30:
                return []
            draw.shuffle(held)
            out = list(held)
            held.clear()
            return out

        await until(lambda: ends.centre.gateway_states)
        carrier.meddle = shuffle
        ends.hear(30)
        await until(lambda: len(ends.sequences()) == 30)
        await until(lambda: not len(ends.outbox))
        assert ends.sequences() == list(range(1, 31))
        assert ends.ledger.duplicates == 0

    at_the_ends(story)


def test_what_is_dropped_for_a_while_comes_again_until_the_receipt(at_the_ends):
    async def story(ends, carrier):
        await until(lambda: ends.centre.gateway_states)
        carrier.meddle = lambda *_message: []
        ends.hear(20)
        await until(lambda: sum(up for up, *_ in carrier.seen) >= 21)
        assert len(ends.outbox) == 20
        # Then the records get through, and the receipts do not.
        carrier.meddle = lambda up, topic, payload: [(topic, payload)] if up else []
        ends.pass_time(60.0)
        await until(lambda: len(ends.sequences()) == 20)
        assert len(ends.outbox) == 20
        carrier.meddle = honest
        await ends.delivered(20)

    at_the_ends(story)


def test_what_is_dropped_for_good_stays_in_the_outbox_and_is_a_gap_at_the_centre(at_the_ends):
    async def story(ends, carrier):
        def without_the_third(up, topic, payload):
            wanted = up and "/event/" in topic and json.loads(payload)["data"]["sequence"] == 3
            return [] if wanted else [(topic, payload)]

        carrier.meddle = without_the_third
        ends.hear(10)
        await until(lambda: len(ends.outbox) == 1)
        for tries in range(2, 6):
            ends.pass_time(4000.0)
            await until(lambda tries=tries: third(carrier) == tries)
        assert ends.sequences() == [1, 2, *range(4, 11)]
        assert ends.ledger.gaps(ends.tag.ident, ends.tag.journal) == [3]
        # The gateway sees it too: what has waited longest, and since when.
        assert ends.outbox.oldest_utc_s(HISTORY_LANE) is not None

    at_the_ends(story)


def third(carrier):
    """How often the gateway has sent the third record."""
    return sum(
        up and "/event/" in topic and json.loads(payload)["data"]["sequence"] == 3
        for up, topic, payload in carrier.seen
    )


@pytest.mark.parametrize("seed", [1, 2])
def test_all_of_it_at_once_costs_no_record(at_the_ends, seed):
    """A carrier who alters, drops, repeats and holds back, in both directions, and then tires of it."""

    async def story(ends, carrier):
        draw, held = Random(seed), []

        def any_of_it(_up, topic, payload):
            choice = draw.random()
            if choice < 0.2:
                return [(topic, flipped(payload, draw.randrange(8 * len(payload))))]
            if choice < 0.4:
                return []
            if choice < 0.6:
                return [(topic, payload)] * draw.randint(2, 4)
            if choice < 0.8:
                held.append((_up, topic, payload))
                return []
            return [(topic, payload)]

        carrier.meddle = any_of_it
        for _ in range(8):
            ends.hear(10)
            ends.pass_time(60.0)
            await asyncio.sleep(0.05)
            draw.shuffle(held)
            for told in held[: len(held) // 2]:
                carrier.send(*told)
            del held[: len(held) // 2]
        carrier.meddle = honest
        for told in held:
            carrier.send(*told)
        await ends.delivered(80)
        assert ends.ledger.conflicts == 0
        assert ends.centre.rejected["forged"] > 0
        assert ends.relay.rejected.get("forged", 0) > 0

    at_the_ends(story)


def test_a_key_of_another_gateway_seals_nothing_for_this_one(at_the_ends):
    """A dishonest gateway with a broker that lets it: its own key is worth nothing on another's topics."""

    async def story(ends, carrier):
        await until(lambda: ends.centre.gateway_states)
        for topic, key in ((f"strapline/v1/{GATEWAY}/state", bytes(32)), (f"strapline/v1/{OTHER_GATEWAY}/state", KEY)):
            now = contract.moment({"t": "2026-01-01T00:00:00Z"}, "t")
            message = contract.Message(contract.parse_topic(topic), "x", now, {"state": "lost"})
            carrier.send(True, topic, contract.encode(message, key))
        await until(lambda: ends.centre.rejected["forged"] == 2)
        assert ends.centre.gateway_states == {GATEWAY: "online"}

    at_the_ends(story)
