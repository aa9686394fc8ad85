"""The link that repeats: two ends, and between them a line that loses, doubles and adds what it likes.

Lines are lost, doubled and mixed with noise: every frame still arrives once and in order, or the link has failed. Where somebody
writes lines of his own, which the link cannot tell from genuine ones, it may lose frames; it holds no more for that, and comes to rest.
"""

from collections.abc import Callable, Iterator
from typing import Any

from fuzz.line import HELD_LIMIT, held
from fuzz.target import Reader, Target
from strapline_wire import link
from strapline_wire.arq import QUEUE_LIMIT, WINDOW, ReliableLink
from strapline_wire.errors import LocalProtocolError

LONGEST = 256
STEPS = 24
RETRY_MS = 1000
RETRIES = 5
ROUNDS = 64
"""More than an undisturbed pair needs for everything that two queues hold, and for giving up."""


class Pair:
    """Two ends of a line. `cut` gives the portions in which bytes arrive."""

    def __init__(self, generations: tuple[int, int], cut: Callable[[bytes], Iterator[bytes]]) -> None:
        self.ends = [ReliableLink(generation, RETRY_MS, RETRIES) for generation in generations]
        self.cut = cut
        self.now = 0
        self.sent: list[list[bytes]] = [[], []]
        """By each end."""
        self.arrived: list[list[bytes]] = [[], []]
        """At each end."""
        self.noise = [b"", b""]
        """What each end has got since the last zero, as far as it was no genuine line."""
        self.forged = False

    def hear(self, at: int, data: bytes) -> None:
        for portion in self.cut(data):
            self.arrived[at] += self.ends[at].receive_data(portion, self.now)
        self.look()

    def hostile(self, at: int, data: bytes) -> None:
        """Bytes that neither end has sent; they forge where a line is found in them."""
        runs = (self.noise[at] + data).split(b"\x00")
        self.forged |= any(link.decode(run) is not None for run in runs)
        self.noise[at] = runs[-1]
        self.hear(at, data)

    def send(self, end: int, frame: bytes) -> None:
        fits = self.ends[end].room() > 0 and 0 < len(frame) <= link.FRAME_LIMIT
        try:
            self.ends[end].send(frame)
        except LocalProtocolError:
            assert not fits
            return
        assert fits
        self.sent[end].append(frame)

    def carry(self, end: int, fate: int) -> bool:
        """What an end has to say reaches the other: two bits of `fate` say of each line whether it comes, never, twice or damaged."""
        lines = self.ends[end].data_to_send(self.now)
        assert len(lines) <= WINDOW
        for at, line in enumerate(lines):
            what = fate >> 2 * (at % WINDOW) & 3
            if what == 3:
                self.hostile(1 - end, line[:2] + bytes([line[2] ^ 0x55 or 1]) + line[3:])
            else:
                for _ in range((1, 0, 2)[what]):
                    self.hear(1 - end, line)
                    self.noise[1 - end] = b""
        return bool(lines)

    def time(self, ms: int) -> None:
        self.now += ms
        for end in self.ends:
            end.handle_timer(self.now)
        self.look()

    def look(self) -> None:
        """What an end holds is bounded, whatever came."""
        for end in self.ends:
            assert 0 <= end._next <= end._sent <= min(WINDOW, len(end._queue))
            assert end.room() + len(end._queue) == QUEUE_LIMIT or (end.failed and end.room() == 0)
            assert held(end._deframer) <= HELD_LIMIT
            assert 1 <= end._generation <= 255

    def settle(self) -> None:
        """Undisturbed from now on, until both are at rest."""
        for _ in range(ROUNDS):
            while self.carry(0, 0) | self.carry(1, 0):
                pass
            deadlines = [end.next_deadline() for end in self.ends]
            if all(at is None for at in deadlines):
                break
            self.time(max(min(at for at in deadlines if at is not None) - self.now, 0))
        assert all(end.idle for end in self.ends)

    def state(self) -> list[Any]:
        return [
            [{**vars(end), "_deframer": vars(end._deframer)} for end in self.ends],
            self.arrived,
            self.now,
            self.forged,
        ]


def story(pair: Pair, data: bytes) -> None:
    reader = Reader(data)
    for _ in range(STEPS):
        if not reader:
            return
        step = reader.number()
        end = step >> 7
        match step & 0x7F:
            case 0:
                pair.hostile(end, reader.take(reader.number()))
            case 1 | 2:
                pair.hostile(end, link.encode(reader.take(reader.number() % 64)))
            case 3:
                generation, acknowledged, numbers = reader.number() % 4, reader.number() % 4, reader.number()
                mine, peers = pair.ends[end]._generation, pair.ends[1 - end]._generation
                header = bytes(
                    (
                        ((peers, 0, peers % 255 + 1, mine)[generation]),
                        (mine, 0, mine % 255 + 1, peers)[acknowledged],
                        numbers,
                    )
                )
                pair.hostile(end, link.encode(header + reader.take(reader.number() % 8)))
            case 4:
                pair.send(end, reader.take(reader.number(2) % (link.FRAME_LIMIT + 8)))
            case 5 | 6 | 7:
                for _ in range(1 + reader.number() % 6):
                    pair.send(end, b"frame %d" % len(pair.sent[end]))
            case 8:
                pair.time(RETRY_MS * (reader.number() % 16) // 2)
            case _:
                pair.carry(end, reader.number(2) if step & 1 else 0)


def whole(data: bytes) -> Iterator[bytes]:
    yield data


def portions(size: int) -> Callable[[bytes], Iterator[bytes]]:
    def cut(data: bytes) -> Iterator[bytes]:
        yield from (data[at : at + size] for at in range(0, len(data), size))

    return cut


def take(data: bytes) -> None:
    reader = Reader(data)
    generations = (1 + reader.number() % 255, 1 + reader.number() % 255)
    size = 1 + reader.number() % 32
    content = reader.rest()
    pair, cut = Pair(generations, whole), Pair(generations, portions(size))
    story(pair, content)
    story(cut, content)
    assert pair.state() == cut.state()
    pair.settle()
    if not pair.forged:
        in_order(pair)
    again = Pair(generations, portions(size))
    for end in (0, 1):
        for frame in pair.sent[end][:QUEUE_LIMIT]:
            again.send(end, frame)
    again.settle()
    assert again.arrived == [again.sent[1], again.sent[0]]


def in_order(pair: Pair) -> None:
    """Each frame once and in order; all of them, unless the sender says that the link has failed."""
    for end in (0, 1):
        sent, arrived = pair.sent[end], pair.arrived[1 - end]
        assert arrived == sent[: len(arrived)]
        assert len(arrived) == len(sent) or pair.ends[end].failed


def seeds() -> list[bytes]:
    head = bytes([6, 199, 4])
    talk = bytes([5, 5, 0x85, 2, 10, 0x8A, 10, 8, 2, 10, 0x8A])
    lossy = bytes([5, 5, 11, 0x1B, 0xE4, 0x8B, 0, 1, 8, 2, 11, 0, 0, 0x8A])
    forged = bytes([3, 0, 0, 0x01, 0, 0x83, 1, 0, 0, 3]) + b"abc" + bytes([10, 0x8A, 8, 4])
    noise = bytes([0, 5]) + b"noise" + bytes([10, 1, 4, 200, 0, 0, 1])
    line = link.encode(bytes([200, 0, 0]) + b"x")
    long = bytes([4, 2, 0x20]) + bytes(100)
    stories = [
        talk,
        lossy,
        forged,
        noise,
        bytes([0, len(line)]) + line,
        long,
        talk * 6,
        lossy * 5,
        talk + forged + talk,
    ]
    return [head + one[: LONGEST - 3] for one in [*stories, *(forged + one for one in stories)]]


TARGETS = [Target("arq", lambda: take, seeds, share=30, max_len=LONGEST)]
