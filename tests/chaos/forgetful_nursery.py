"""A nursery of gateways with a defect: lets go of what the broker acknowledged, keeps nothing over a restart, says all once."""

import sys

from strapline_gateway.outbox import Outbox
from strapline_gateway.relay import Relay
from strapline_simulator.chaos import nursery


def let_go_at_puback():
    published = Relay.mqtt_published

    def mqtt_published(self, token):
        published(self, token)
        if not self._unacknowledged:
            self._outbox._db.execute("DELETE FROM outbox")
            self._outbox._load()

    Relay.mqtt_published = mqtt_published


def begin_anew():
    first = Outbox.__init__

    def init(self, path, **options):
        first(self, ":memory:", **options)

    Outbox.__init__ = init


def say_nothing_twice():
    due_again = Outbox.due_again

    def nothing_again(self):
        due_again(self)
        for rounds in self._rounds:
            rounds.cursor = self.newest

    Outbox.due_again = nothing_again


if __name__ == "__main__":
    {"lets-go": let_go_at_puback, "begins-anew": begin_anew, "never-again": say_nothing_twice}[sys.argv[1]]()
    nursery.main()
