"""One station on a clock that a test moves, and what it holds of a tag."""

from random import Random

from hand_made_tag import HandMadeTag, frame_of
from strapline_gateway.station import Connect, Station, Transmit

ADDRESS = "C0:00:00:00:00:01"


class Home:
    """One station, one clock, and the tags that a test moves. Bare acknowledgements reach the tags, and no test sees them."""

    def __init__(self, *tags, now=0.0):
        self.now = now
        self._draw = Random(7)
        self._tags = tags
        self.station = Station(
            0x6A7E0001, [tag.gateway_keys for tag in tags], self._draw.randbytes, home=True, now=self.now
        )

    def take(self):
        events = []
        while (event := self.station.next_event()) is not None:
            if isinstance(event, Transmit) and not frame_of(event.data):
                for tag in self._tags:
                    if tag.link is not None:
                        tag.link.receive_data(event.data, 0)
            else:
                events.append(event)
        return events

    def hear(self, data, address=ADDRESS, rssi_dbm=-60):
        self.station.receive_advertisement(address, rssi_dbm, data, self.now)
        return self.take()

    def wait(self, seconds):
        """Let time pass as an adapter does: every deadline is met, and met at once."""
        end = self.now + seconds
        events = []
        while (deadline := self.station.next_deadline()) is not None and deadline <= end:
            self.now = max(self.now, deadline)
            self.station.handle_timer(self.now)
            after = self.station.next_deadline()
            assert after is None or after > self.now
            events += self.take()
        self.now = end
        return events

    def say(self, link_number, data):
        self.station.receive_data(link_number, data, self.now)
        return self.take()

    def open(self, tag, *, called=True):
        """A link on which this tag has proved itself."""
        number = self.station.open_link(self.now, tag.ident if called else None)
        self.greet(number, tag)
        self.say(number, tag.reply(self.now))
        return number

    def greet(self, number, tag):
        (welcome,) = self.say(number, tag.hello(self.now))
        assert welcome.link == number
        tag.receive(welcome.data)
        assert self.say(number, tag.acknowledgement()) == []

    def close(self, number):
        self.station.close_link(number, self.now)
        return self.take()

    def visit(self, tag):
        """Call, let the tag prove itself, and hang up."""
        self.close(self.open(tag))

    @property
    def rejected(self):
        return dict(self.station.rejected)


def known_home(**options):
    """A home whose tag has been in contact just now: nothing is overdue."""
    tag = HandMadeTag(**options)
    home = Home(tag)
    home.hear(tag.heartbeat(home.now))
    home.visit(tag)
    return home, tag


def facts(home, tag):
    """What the station holds of a tag, as far as anyone outside can gain by moving it."""
    enrolled = home.station._tags[tag.ident]
    names = ("present", "heard_at", "contact_at", "offset_s", "told_alarm", "link", "in_call", "failures", "boot")
    return {name: getattr(enrolled, name) for name in names} | {
        "newest": home.station._pseudonyms.newest(enrolled.keys)
    }


def connects(events):
    return [event for event in events if isinstance(event, Connect)]
