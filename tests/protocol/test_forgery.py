"""Nothing gets through: the attackers of `make prove` in small, and that a receiver with a hole is found out."""

import hmac

import pytest

from fuzz import forge, rekey_scene
from fuzz.attacker import WAYS, Attacker
from fuzz.forge import SCENES, Shard
from strapline_gateway.enrolment import Enrolled
from strapline_gateway.roster import Roster
from strapline_protocol.cipher import HostCipher
from strapline_tag import keyring
from strapline_wire import seal, session
from strapline_wire.arq import ReliableLink
from strapline_wire.keys import derive
from strapline_wire.replay import ReplayWindow


@pytest.mark.parametrize("name", SCENES)
def test_of_two_thousand_forgeries_none_is_taken_and_every_genuine_frame_is(name):
    tally = forge.attack(Shard(name, 2000, "a test"))
    assert tally.examples == []
    assert sum(tally.tried.values()) == 2000
    assert tally.arrived == tally.delivered
    assert tally.delivered[name] >= 2000 // forge.FORGERIES_EACH
    wanted = {*WAYS} | ({"replayed"} if SCENES[name].replayable else set())
    assert wanted < {way for _, way in tally.tried}


def taken(name):
    """The ways that got through."""
    return {way for _, way in forge.attack(Shard(name, 1500, "a hole")).taken}


def plant_no_mic(monkeypatch):
    """Every cipher made from now on opens anything."""
    made = HostCipher.__init__

    def blind(self, key):
        made(self, key)
        # Sealing once more turns the text back: the same stream.
        self.open = lambda nonce, sealed, associated: self.seal(nonce, sealed[:-8], associated)[:-8]

    monkeypatch.setattr(HostCipher, "__init__", blind)


SEALED = [
    "heartbeats at the station",
    "session frames at the station",
    "session frames at the tag",
    "commands at the tag",
    "REKEY at the tag",
    "records at the centre",
]


@pytest.mark.parametrize("name", SEALED)
def test_a_cipher_that_checks_no_mic_is_found_out(monkeypatch, name):
    # The first forgery may drive the replay window so far on that all others, and the genuine ones, are too old.
    plant_no_mic(monkeypatch)
    tally = forge.attack(Shard(name, 1500, "a hole"))
    assert tally.taken or name == "heartbeats at the station"  # there the uptime is nonsense, which is found
    assert tally.arrived != tally.delivered


@pytest.mark.parametrize(
    "name", ["heartbeats at the station", "session frames at the station", "session frames at the tag"]
)
def test_a_window_that_forgets_is_found_out(monkeypatch, name):
    monkeypatch.setattr(ReplayWindow, "check", lambda self, counter: None)
    assert taken(name) == {"replayed"}


def test_a_station_that_never_looks_at_the_uptime_is_found_out(monkeypatch):
    monkeypatch.setattr(Enrolled, "uptime_fits", lambda *_: True)
    assert taken("heartbeats at the station") == {"held back"}


@pytest.mark.parametrize("name", ["HELLO at the station", "WELCOME at the tag"])
def test_a_handshake_that_checks_no_hmac_is_found_out(monkeypatch, name):
    monkeypatch.setattr(session, "same", lambda a, b: True)
    assert taken(name) >= {"flipped", "altered"}


@pytest.mark.parametrize("name", ["MQTT messages at the centre", "MQTT messages at the relay"])
def test_a_contract_that_checks_no_seal_is_found_out(monkeypatch, name):
    monkeypatch.setattr(hmac, "compare_digest", lambda a, b: True)
    assert "other key" in taken(name)


@pytest.mark.parametrize("name", ["session frames at the station", "session frames at the tag"])
def test_a_session_key_that_leaves_out_nonces_and_gateway_is_found_out(monkeypatch, name):
    monkeypatch.setattr(session, "session_key", lambda link_key, *_: link_key)
    assert taken(name) == {"earlier session", "other gateway"}


@pytest.mark.parametrize(
    ("name", "ways"),
    [
        ("heartbeats after new keys", {"old keys"}),
        ("HELLO after new keys", {"old keys"}),
        ("session frames after new keys", {"old session", "old HELLO"}),
    ],
)
def test_a_station_that_keeps_the_old_keys_is_found_out(monkeypatch, name, ways):
    monkeypatch.setattr(Roster, "renew", lambda _self, _enrolled, _keys: False)
    assert taken(name) == ways


def test_an_end_to_end_key_that_a_gateway_can_work_out_is_found_out(monkeypatch):
    def renew(end_to_end, salt, generation):
        shared, _ = genuine(end_to_end, salt, generation)
        return shared, derive(shared, "link")

    genuine = keyring.renew

    for module in (keyring, rekey_scene):
        monkeypatch.setattr(module, "renew", renew)
    assert "other key" in taken("REKEY at the tag")


def test_a_frame_that_the_link_drops_is_no_attempt(monkeypatch):
    monkeypatch.setattr(ReliableLink, "receive_data", lambda *_: [])
    with pytest.raises(AssertionError, match="the station never saw the frame"):
        forge.attack(Shard("HELLO at the station", 100, "1"))


def test_a_direction_that_is_not_in_the_nonce_is_found_out(monkeypatch):
    monkeypatch.setattr(seal, "_inner_nonce", lambda direction, start: bytes(3) + start[:10])
    assert "other direction" in taken("commands at the tag")


@pytest.mark.parametrize("count", [1000, 50_000, 1_000_000])
def test_the_shards_are_the_whole_count_and_leave_no_scene_out(count):
    shards = list(forge.shards(count, 1))
    assert sum(shard.count for shard in shards) == count
    assert {shard.scene for shard in shards} == set(SCENES)
    assert len({shard.seed for shard in shards}) == len(shards)


def test_a_scene_left_out_or_a_genuine_frame_lost_is_no_proof():
    tally = forge.attack(Shard("HELLO at the station", 100, "1"))
    assert not forge.holds(tally)
    for name in SCENES:
        tally.delivered[name] = tally.arrived[name] = 1
    assert forge.holds(tally)
    tally.arrived["HELLO at the station"] = 0
    assert not forge.holds(tally)


def test_the_same_seed_makes_the_same_forgeries():
    one, other = (forge.attack(Shard("commands at the tag", 400, "again")) for _ in range(2))
    assert one == other


@pytest.mark.parametrize("way", WAYS)
def test_a_forgery_is_never_what_it_was_made_from(way):
    attacker = Attacker(forge.Random(way))
    genuine, seen = bytes(range(24)), [bytes(24), bytes(range(1, 25))]
    assert all(attacker.forge(way, genuine, seen) not in (genuine, *seen) for _ in range(300))
