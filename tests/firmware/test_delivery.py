"""Whatever links, losses and receipts do: in the end everything is at the centre, in order, once sealed and never otherwise."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from firmware.tag_pair import OPEN_OHM, WORN_OHM, TagPair, epoch, records_of
from strapline_tag import outputs as out
from strapline_tag.journal import ALARM_LANE
from strapline_wire import frames, link

SETTINGS = {
    "log_every_epoch": 1,
    "home_silence_s": 100_000_000,
    "journal_bytes": 1536,
    "journal_block_bytes": 512,
    "journal_alarm_reserve": 4,
    "link_window": 4,
    "heartbeat_shortest_ms": 60_000,
    "heartbeat_longest_ms": 60_000,
}


class Delivery(RuleBasedStateMachine):
    @initialize()
    def start(self):
        self.pair = TagPair(SETTINGS)
        self.appended = {}
        self.refused = 0
        self.dropped = []
        self.receipted = set()
        self.said = []  # (which connection of the bearer, bearer, sequence, flags, sealed) of every transmission, lost or not
        self.connections = {out.BLE: 0, out.CELLULAR: 0}
        self.second = 0
        self.lose_share = 1
        self.stale = []
        self._watch()
        self.pair.run(1)

    def _watch(self):
        journal, pair = self.pair.tag.journal, self.pair
        append, put, merge = journal.append, journal._put, journal._merge
        receipt, connect = journal._release, pair.connect
        for (kind, _, _, sequence), _ in records_of(journal):
            self.appended[sequence] = kind

        def watched_append(kind, flags, body):
            room = append(kind, flags, body)
            self.refused += not room
            return room

        def watched_put(meta, body, sequence):
            before = journal.newest
            done = put(meta, body, sequence)
            if journal.newest != before:
                assert journal.newest not in self.appended
                self.appended[journal.newest] = meta >> 2
            return done

        def watched_merge(*what):
            before = pair.held()
            done = merge(*what)
            gone = set(before) - set(pair.held())
            self.dropped += gone
            # What a tombstone does at the centre.
            pair.centre.held.setdefault(journal.ident, set()).update(gone)
            return done

        def watched_receipt(*what):  # of either kind
            before = set(pair.held())
            left = receipt(*what)
            self.receipted |= before - set(pair.held())
            return left

        def watched_connect(bearer=out.BLE, **kwargs):
            self.connections[bearer] += 1
            connect(bearer, **kwargs)

        def watched_seal(slot, seal=pair.tag._recorder.seal_record):
            assert journal.sequence(slot) not in self.receipted
            return seal(slot)

        for uplink in (pair.tag._bearers._ble, pair.tag._bearers._cellular):
            uplink._seal_record = watched_seal
        journal.append, journal._put, journal._merge = watched_append, watched_put, watched_merge
        journal._release = watched_receipt
        pair.connect, pair.lose = watched_connect, self._lose

    def _lose(self, record):
        self.said.append((self.connections[record.bearer], record.bearer, record.sequence, record.flags, record.sealed))
        return self.lose_share > 1 and len(self.said) % self.lose_share == 0

    # What happens to the tag.

    @rule(count=st.integers(1, 12))
    def positions(self, count):
        for _ in range(count):
            self.pair.gnss(epoch(self.second))
            self.second += 1
            self.pair.run(0.5)

    @rule()
    def strap_opens_and_closes(self):
        self.pair.edge(is_open=True)
        self.pair.run(0.05)
        self.pair.edge(is_open=False)

    @rule(ohm=st.sampled_from([WORN_OHM, 500, OPEN_OHM]))
    def strap_reads(self, ohm):
        self.pair.strap(ohm, ohm, ohm)

    @rule()
    def key_is_presented(self):
        self.pair.arm()

    @rule(seconds=st.sampled_from([0.1, 1, 11, 25, 300, 4000, 16_000]))
    def time_passes(self, seconds):
        self.pair.run(seconds)

    # What happens to the link.

    @rule(home=st.booleans())
    def link_up(self, home):
        self.pair.connect(home=home)

    @rule(bearer=st.sampled_from([out.BLE, out.CELLULAR]))
    def link_down(self, bearer):
        self.pair.disconnect(bearer)

    @rule(coverage=st.sampled_from([True, False, None]))
    def coverage_changes(self, coverage):
        self.pair.coverage = coverage

    @rule(receipting=st.booleans(), telling_time=st.booleans())
    def centre_is_moody(self, receipting, telling_time):
        self.pair.receipting, self.pair.telling_time = receipting, telling_time

    @rule(share=st.sampled_from([1, 2, 3, 7]))
    def gateway_loses_records(self, share):
        self.lose_share = share

    @rule(data=st.binary(max_size=200), framed=st.booleans(), bearer=st.sampled_from([out.BLE, out.CELLULAR]))
    def garbage_on_the_line(self, data, framed, bearer):
        self.pair.line_data(link.encode(data) if framed else data, bearer)

    # Receipts.

    def _sessions(self):
        return [bearer for bearer, line in self.pair.lines.items() if line.session is not None]

    def _tell(self, sealed):
        self.stale.append(sealed)
        for bearer in self._sessions():
            self.pair.command(sealed, bearer)
            return
        self.pair.key(sealed)

    @rule()
    def receipt_for_all_that_is_here(self):
        self._tell(self.pair.centre.receipt(self.pair.tag.journal.ident))

    @rule(keep=st.integers(0, 2**32 - 1))
    def receipt_that_knows_only_a_part(self, keep):
        ident = self.pair.tag.journal.ident
        held = self.pair.centre.held.get(ident, set())
        base = next(n for n in range(1, len(held) + 2) if n not in held)
        bitmap = sum(1 << bit for bit in range(32) if base + 1 + bit in held)
        self._tell(self.pair.centre.receipt_of(ident, base, bitmap & keep))

    @rule(base=st.integers(0, 200), bitmap=st.integers(0, 2**32 - 1))
    def receipt_for_another_journal(self, base, bitmap):
        before = len(self.pair.tag.journal)
        self._tell(self.pair.centre.receipt_of(self.pair.tag.journal.ident ^ 1, base, bitmap))
        assert len(self.pair.tag.journal) == before

    @precondition(lambda self: self.stale)
    @rule(data=st.data(), flip=st.integers(0, 30 * 8) | st.none())
    def old_or_altered_receipt(self, data, flip):
        sealed = bytearray(data.draw(st.sampled_from(self.stale)))
        if flip is not None and flip < len(sealed) * 8:
            sealed[flip // 8] ^= 1 << flip % 8
        before, refused = len(self.pair.tag.journal), self.pair.tag.rejected
        self.pair.key(bytes(sealed))
        assert len(self.pair.tag.journal) == before
        assert self.pair.tag.rejected == refused + 1

    # What must hold.

    @invariant()
    def every_record_is_held_or_receipted_or_dropped_by_policy(self):
        held = set(self.pair.held())
        assert sorted(self.appended) == list(range(1, self.pair.tag.journal.newest + 1))
        assert held.isdisjoint(self.receipted)
        assert held | self.receipted | set(self.dropped) == set(self.appended)
        assert all(self.appended[n] == frames.FIX for n in self.dropped)
        assert self.pair.tag.journal.dropped_positions == len(self.dropped)
        assert self.pair.tag.journal.refused == self.refused
        assert len(held) <= 30

    @invariant()
    def what_was_receipted_is_at_the_centre(self):
        at_centre = {record.sequence for record in self.pair.arrived}
        assert self.receipted <= at_centre | set(self.dropped)

    def teardown(self):
        if not hasattr(self, "pair"):
            return
        pair = self.pair
        pair.receipting = pair.telling_time = pair.coverage = True
        self.lose_share = 1
        pair.disconnect()
        pair.connect()
        pair.run(4000)
        assert pair.waiting() == []
        at_centre = {record.sequence for record in pair.arrived}
        assert set(self.appended) - set(self.dropped) <= at_centre <= set(self.appended)
        sealed = {}
        for *_, sequence, _, record in self.said:
            assert sealed.setdefault(sequence, record) == record
        firsts = {}
        for connection, bearer, sequence, flags, _ in self.said:
            lane = firsts.setdefault((connection, bearer, flags & ALARM_LANE), [])
            if sequence not in lane:
                lane.append(sequence)
        assert all(lane == sorted(lane) for lane in firsts.values())


Delivery.TestCase.settings = settings(deadline=None, max_examples=60, stateful_step_count=40)
TestDelivery = Delivery.TestCase


def by_lane(records):
    return [[r.sequence for r in records if bool(r.flags & ALARM_LANE) == alarm] for alarm in (True, False)]


def test_where_only_links_break_the_centre_sees_each_lane_in_order_at_first_sight():
    pair = TagPair(SETTINGS | {"journal_bytes": 65536, "journal_block_bytes": 4096})
    pair.arm()
    broken_after = 0

    def breaks(_record):
        nonlocal broken_after
        broken_after += 1
        if broken_after % 7 == 0:
            pair.lines.clear()  # the rest of this connection is said into nothing
            return True
        return pair.lines == {}

    pair.lose = breaks
    for second in range(150):
        pair.gnss(epoch(second))
        pair.run(0.5)
        if second % 10 == 5:
            pair.edge(is_open=True)
            pair.edge(is_open=False)
        if second % 4 == 0:
            pair.connect()
        if second % 4 == 2:
            pair.tag.feed_link_down(pair.now, out.BLE)
    while pair.waiting():
        pair.tag.feed_link_down(pair.now, out.BLE)
        pair.connect()
        pair.run(1)
    alarms, others = by_lane(pair.unique())
    assert alarms == sorted(alarms)
    assert others == sorted(others)
    assert sorted(alarms + others) == list(range(1, pair.tag.journal.newest + 1))
    assert len(alarms) == 15


def after_an_outage(alarms, positions_between):
    """What the centre gets, lane by lane, once a long list of records has a link again."""
    pair = TagPair(SETTINGS | {"journal_bytes": 65536, "journal_block_bytes": 4096})
    pair.coverage = False
    pair.run(1)
    pair.arm()
    for n in range(alarms * positions_between):
        pair.gnss(epoch(n))
        pair.run(0.5)
        if n % positions_between == 0:
            pair.edge(is_open=True)
            pair.edge(is_open=False)
    pair.connect()
    assert pair.waiting() == []
    return [record.flags & ALARM_LANE for record in pair.unique()]


def test_after_an_outage_a_windowful_of_alarms_is_there_before_the_first_of_the_rest():
    lanes = after_an_outage(alarms=SETTINGS["link_window"], positions_between=70)
    assert lanes == sorted(lanes, reverse=True)
    assert lanes.count(ALARM_LANE) == SETTINGS["link_window"]


def test_more_alarms_than_a_receipt_can_reach_do_not_block_the_line():
    lanes = after_an_outage(alarms=12, positions_between=20)
    assert lanes[: SETTINGS["link_window"]] == [ALARM_LANE] * SETTINGS["link_window"]
    assert lanes.count(ALARM_LANE) == 12
