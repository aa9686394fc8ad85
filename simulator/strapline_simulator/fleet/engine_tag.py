"""One tag: the firmware, driven by its own deadlines, its sensors read by its own sampler."""

from collections.abc import Callable
from random import Random
from typing import Any, Protocol

from strapline_protocol.cipher import HostCipher
from strapline_simulator.fleet.agenda import Agenda
from strapline_simulator.fleet.engine_memory import Kept, SparseFlash
from strapline_simulator.fleet.engine_wearer import Wearer
from strapline_simulator.fleet.spec import TagSpec
from strapline_tag import outputs as out
from strapline_tag.config import Config
from strapline_tag.sampling import Sampler
from strapline_tag.tag import Tag

_SETTINGS = {name: value for name, value in vars(Config).items() if not (name.startswith("_") or callable(value))}
"""All of them, given to each tag as its own: CPython reads an object's attribute several times as fast as its class's."""


class Surroundings(Protocol):
    """Who hears a tag."""

    def heartbeat(self, unit: "TagUnit", address: bytes, frame: bytes) -> None: ...

    def dial(self, unit: "TagUnit") -> None: ...

    def receiver(self, unit: "TagUnit", *, on: bool) -> None: ...


class Passage(Protocol):
    """A stretch of a tag's life that is not lived through (`fold`)."""

    end_ms: int
    is_home: bool

    @property
    def call(self) -> object:
        """The one that is imagined in it; None without one."""
        ...

    def settle(self, now_ms: int) -> None: ...

    def goes_on(self) -> bool:
        """At its end, which may be none."""
        ...

    def takes(self, sealed: bytes) -> bool:
        """Whether this is the answer to a call that goes on in it: then the tag has it."""
        ...


class TagLine(Protocol):
    """The tag's end of a connection."""

    def from_tag(self, data: bytes) -> None: ...

    def end(self) -> None: ...


class TagUnit:
    """An actor of the agenda. Its milliseconds are the agenda's: it starts at 0."""

    __slots__ = (
        "_due",
        "agenda",
        "around",
        "config",
        "folded",
        "heartbeats",
        "ident",
        "lines",
        "made_ms",
        "next_stimulus_ms",
        "on_spoken",
        "sampler",
        "spec",
        "tag",
        "wearer",
    )

    def __init__(
        self,
        agenda: Agenda,
        spec: TagSpec,
        secret: bytes,
        seed: str,
        wearer: Wearer,
        around: Surroundings,
        settings: Any,
    ) -> None:
        self.agenda = agenda
        self.around = around
        self.spec = spec
        self.ident = spec.ident
        self.lines: dict[int, TagLine] = {}
        """Those that stand, by bearer."""
        self.wearer = wearer
        self.config = config = Config(_SETTINGS | settings)
        flash = SparseFlash(config.journal_bytes, config.journal_block_bytes)
        self.tag = Tag(secret, Kept(), Random(f"{seed}/tag").randbytes, HostCipher, flash, config)
        self.sampler = Sampler(self.tag, wearer, config, 0)
        self.heartbeats = 0
        self.made_ms: list[int] = []
        """When each record of the journal was made, by sequence."""
        self.folded: Passage | None = None
        """What goes on now; anything that reaches the tag ends it first."""
        self.on_spoken: Callable[[TagUnit], None] | None = None
        """Called when it has said what it had to say, and when it has made a record."""
        self.next_stimulus_ms = 1 << 62
        self._due = -1
        self.arm()

    # The agenda's side.

    def arm(self) -> None:
        """After anything that may have brought the next deadline forward."""
        if self.folded is not None:
            return
        due = min(self.tag.next_deadline(), self.sampler.due)
        if due != self._due:
            self._due = due = max(due, self.agenda.now_ms)
            self.agenda.at(due, self._fire, due)

    def fold(self, passage: Passage) -> None:
        """Pass over what comes until its end, or until something else happens to the tag."""
        self.folded = passage
        self._due = passage.end_ms
        self.agenda.at(passage.end_ms, self._fire, passage.end_ms)

    def unfold(self) -> None:
        """Before anything reaches the tag, or is asked of it."""
        if self.folded is not None:
            passage, self.folded = self.folded, None
            passage.settle(self.agenda.now_ms)
            self._due = -1
            self.arm()

    def _fire(self, due: int) -> None:
        """All that is due up to the agenda's next call; a call that was entered for another moment is none any more."""
        if due != self._due:
            return
        if self.folded is not None:
            if not self.folded.goes_on():
                self.unfold()
            return
        agenda, tag, sampler, wearer = self.agenda, self.tag, self.sampler, self.wearer
        heap, next_ms, heard = agenda.heap, agenda.next_ms, self.around.heartbeat
        tag_due = tag.next_deadline()
        while True:
            if sampler.due <= due:
                # Up to the next that happens seconds pass in which only the sensors are read.
                stop = tag_due if tag_due < next_ms else next_ms  # noqa: FURB136 - `min` takes three times as long
                if due >= wearer.rests_until_ms:
                    wearer.moved, stop = True, due  # one reading, which says for how long the limb lies still
                elif wearer.rests_until_ms < stop:
                    stop = wearer.rests_until_ms
                due = sampler.run(due, stop)
                if tag.stale:
                    tag_due = tag.next_deadline()
                    agenda.now_ms = due
                    # Who is away wants the modem for it, and says so with the next heartbeat.
                    has_told = tag.journal.newest > len(self.made_ms) and not tag.away
                    if has_told and self.on_spoken is not None and self._is_passed_over():
                        return
            agenda.now_ms = due
            if tag_due <= due:
                tag.handle_timer(due)
                outputs = tag.take_outputs()
                for output in outputs:
                    if output[0] == out.ADVERTISE:
                        self.heartbeats += 1
                        heard(self, output[1], output[2])
                    else:
                        self._carry_out(output)
                if self.on_spoken is not None:
                    has_spoken = outputs or tag.journal.newest > len(self.made_ms)
                    if has_spoken and self._is_passed_over():
                        return
                tag_due = tag.next_deadline()
                if heap and heap[0][0] < next_ms:  # somebody has entered something
                    next_ms = heap[0][0]
            due = sampler.due
            if tag_due < due:  # noqa: PLR1730 - as above
                due = tag_due
            if due >= next_ms:
                break
        self._note_made()
        if due != self._due:
            self._due = due
            agenda.at(due, self._fire, due)

    def _is_passed_over(self) -> bool:
        """It has said something, or has something to say: what comes now may be folded."""
        assert self.on_spoken is not None
        self._note_made()
        self.on_spoken(self)
        return self.folded is not None

    def _note_made(self) -> None:
        made, newest = self.made_ms, self.tag.journal.newest
        while len(made) < newest:
            made.append(self.agenda.now_ms)

    # The world's side.

    def feed(self, into: Callable[..., None], *arguments: Any) -> None:
        """Something reaches the tag now: one of its `feed_…`."""
        self.unfold()
        into(self.agenda.now_ms, *arguments)
        made = len(self.made_ms)
        self._note_made()
        outputs = self.tag.take_outputs()
        for output in outputs:
            self._carry_out(output)
        if self.on_spoken is not None and (outputs or len(self.made_ms) > made):
            self.on_spoken(self)
        self.arm()

    def _carry_out(self, output: tuple[Any, ...]) -> None:
        kind = output[0]
        if kind == out.ADVERTISE:
            self.heartbeats += 1
            self.around.heartbeat(self, output[1], output[2])
        elif kind == out.LINK_SEND:
            if (line := self.lines.get(output[1])) is not None:
                line.from_tag(output[2])
        elif kind == out.LINK_OPEN:
            self.around.dial(self)
        elif kind == out.LINK_CLOSE:
            self.agenda.after(0, self._hang_up, output[1])
        elif kind == out.GNSS_POWER:
            self.around.receiver(self, on=output[1])

    def _hang_up(self, bearer: int) -> None:
        if (line := self.lines.get(bearer)) is not None:
            line.end()
