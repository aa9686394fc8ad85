"""The station: what it hears on the radio and on its links, raw and under a genuine seal round anything."""

from collections.abc import Callable

from firmware.tag_pair import HEADER
from fuzz.sealed import BROADCAST, GATEWAY, refused
from fuzz.target import Reader, Target
from hand_made_tag import HandMadeTag
from strapline_gateway.station import Station, Transmit
from strapline_wire import frames, link, seal

ADDRESS = "C0:00:00:00:00:01"


def build_air() -> Callable[[bytes], None]:
    """Advertisements: raw, and heartbeats that a tag's key sealed round anything, at any time."""
    tag = HandMadeTag()
    station = Station(GATEWAY, [tag.gateway_keys], bytes, home=True)
    now = 0.0

    def take(data: bytes) -> None:
        nonlocal now
        reader = Reader(data)
        genuine = reader.number() & 1
        now += 0.002 * reader.number()  # slowly: each minute a stranger's pseudonym may cost a search of 20 ms
        if genuine:
            kind, counter, slot = reader.number() & 0x3F, reader.number(4), reader.number() % 4
            tag.slot = slot
            frame = seal.seal_frame(kind, tag.pseudonym, counter, reader.rest(), BROADCAST, HEADER, seal.UP)
        else:
            frame = reader.rest()
        station.receive_advertisement(ADDRESS, -60, frame, now)
        station.handle_timer(now)
        while station.next_event() is not None:
            pass

    return take


def air_seeds() -> list[bytes]:
    body = frames.pack_heartbeat((0x61, 0, 90, 0, 3))
    sealed = [bytes([1, 0, frames.HEARTBEAT, 0, 0, 0, at, at % 4]) + body for at in range(8)]
    return [*sealed, bytes([0, 0]) + HandMadeTag().heartbeat(0.0), bytes([0, 9, 0x41]) + bytes(23)]


def build_links() -> Callable[[bytes], None]:
    """Connections at a station: each input is a little story of bytes, greetings, sealed frames, commands and time."""
    tag = HandMadeTag()
    station = Station(GATEWAY, [tag.gateway_keys], lambda size: bytes(range(size)), home=True)
    now = 0.0
    number = station.open_link(now)

    def drain() -> None:
        while (event := station.next_event()) is not None:
            if isinstance(event, Transmit) and event.link == number and tag._handshake is not None:
                refused(tag.receive, event.data)  # what was sealed before the tag greeted anew is not for it any more
                if answer := tag.acknowledgement():
                    station.receive_data(number, answer, now)
        tag.taken.clear()

    def take(data: bytes) -> None:
        nonlocal now, number
        reader = Reader(data)
        for _ in range(12):
            if not reader:
                break
            step = reader.number() % 7
            if step == 0:
                station.receive_data(number, reader.take(reader.number(2) % 1200), now)
            elif step == 6:
                content = reader.take(reader.number(2) % (link.CONTENT_LIMIT + 1))
                station.receive_data(number, link.encode(content), now)
            elif step == 1:
                station.receive_data(number, tag.hello(now), now)
            elif step == 2 and tag.session is not None and tag.link.room():
                tag.link.send(tag.session.seal(reader.number() & 0x3F, reader.take(reader.number(2) % 528)))
                for line in tag.link.data_to_send(0):
                    station.receive_data(number, line, now)
            elif step == 3:
                now += reader.number()
                station.handle_timer(now)
            elif step == 4:
                station.close_link(number, now)
                number = station.open_link(now, tag.ident if reader.number() & 1 else None)
                tag.session = tag._handshake = None
            elif step == 5:
                station.send_command(tag.ident, reader.take(reader.number(2) % 1200), now)
            drain()

    return take


def links_seeds() -> list[bytes]:
    reply = b"\x02" + bytes([frames.REPLY]) + b"\x00\x06" + frames.pack_reply((1, 0))
    record = HandMadeTag().event()
    sent = b"\x02" + bytes([frames.RECORD]) + len(record).to_bytes(2, "big") + record
    command = b"\x05\x00\x1e" + bytes(30)
    long_command = b"\x05\x02\x58" + bytes(600)
    return [
        b"\x01" + reply,
        b"\x01" + reply + sent,
        b"\x01" + reply + command,
        long_command + b"\x01" + reply,
        b"\x01" + reply + b"\x03\xff\x04\x01",
        b"\x00\x00\x10" + bytes(16),
        b"\x01" + reply + b"\x06\x00\x03\xc8\x00\x00" + command,
        b"\x06\x00\x20\xc8\x00\x00\x41" + bytes(28) + b"\x01" + reply,
    ]


TARGETS = [
    Target("air", build_air, air_seeds, share=60, max_len=96, lives=5000),
    Target("links", build_links, links_seeds, share=30, max_len=1536, lives=500),
]
