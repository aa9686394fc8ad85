"""The centre on MQTT: feeds what arrives to the rules, publishes what they answer."""

import asyncio
import contextlib
from collections.abc import Callable
from functools import partial

from strapline_centre.centre import Centre
from strapline_centre.database import LedgerDownError, TakenOverError
from strapline_centre.ledger import Entry
from strapline_centre.sentry import Notification
from strapline_protocol.mqtt import MqttClient

GROUP = 128
"""So many messages are taken together at most; a transaction for each would cost more than all the rest."""

_RECEIPTS_DUE = 64
_RETRY_S = (0.5, 15.0)
"""Between tries while the ledger is away, from the first to the longest."""


class CentreService:
    """Hand it to `client.connect`; `on_entry` is told of every new ledger entry, after its receipt is on the way.

    What has come within `gather_s` is committed together, and receipts for history wait as long once more; an alarm waits for neither.
    With 0 each message is answered for by itself. `run` does what is due with time; `on_notification` is told whom an alert is told to.
    """

    def __init__(
        self,
        centre: Centre,
        client: MqttClient,
        on_entry: Callable[[Entry], None] | None = None,
        *,
        gather_s: float = 0.0,
        on_notification: Callable[[Notification], None] | None = None,
        on_ledger: Callable[[str], None] | None = None,
    ) -> None:
        self._centre = centre
        self._client = client
        self._on_entry = on_entry
        self._gather_s = gather_s
        self._on_notification = on_notification
        self._on_ledger = on_ledger
        self._heard: list[tuple[str, bytes]] = []
        self._drain_timer: asyncio.TimerHandle | None = None
        self._receipt_timer: asyncio.TimerHandle | None = None
        self._retry_timer: asyncio.TimerHandle | None = None
        self._retry_s = _RETRY_S[0]
        self._changed = asyncio.Event()
        self._taken_over: TakenOverError | None = None
        self.connected = False
        self.ledger_trouble = ""
        """Why nothing is taken at the moment; empty: it is."""
        self.received = 0

    def use(self, centre: Centre) -> None:
        """Another centre goes on, on the same ledger and client."""
        self._centre = centre

    def mqtt_connected(self) -> None:
        self.connected = True
        self._centre.connected()
        self._centre.sentry.beat_soon()
        self._changed.set()

    def publish(self) -> None:
        """Publish what the centre has to say."""
        while (out := self._centre.next_message()) is not None:
            self._client.publish(out.topic, out.payload)

    def mqtt_disconnected(self, _reason: str) -> None:
        self.connected = False
        self._centre.disconnected()
        self._changed.set()

    def mqtt_published(self, token: int) -> None:
        """Nothing waits for a PUBACK: a receipt that is lost is given again when the record comes again."""

    def mqtt_message(self, topic: str, payload: bytes) -> None:
        self._heard.append((topic, payload))
        self.received += 1
        if not self._gather_s or len(self._heard) >= GROUP:
            self._drain()
        elif _is_urgent(topic, payload):
            self._drain_in_this_turn()
        elif self._drain_timer is None:
            self._drain_timer = asyncio.get_running_loop().call_later(self._gather_s, self._drain)

    def _drain_in_this_turn(self) -> None:
        """At once, together with what else one burst brings: a commit for each alarm of it would keep the last one waiting."""
        if self._drain_timer is not None:
            self._drain_timer.cancel()
        self._drain_timer = asyncio.get_running_loop().call_later(0, self._drain)

    # Taking.

    def _drain(self) -> None:
        if self._drain_timer is not None:
            self._drain_timer.cancel()
            self._drain_timer = None
        heard, self._heard = self._heard, []
        self._guard(lambda: self._take(heard))

    def _take(self, heard: list[tuple[str, bytes]]) -> None:
        entries = self._centre.receive_all(heard)
        desk = self._centre.desk
        if not self._gather_s or desk.receipts_due >= _RECEIPTS_DUE:
            desk.say_receipts()
        elif desk.receipts_due and self._receipt_timer is None:
            self._receipt_timer = asyncio.get_running_loop().call_later(self._gather_s, self._say_receipts)
        self.publish()
        for entry in entries:
            if self._on_entry is not None:
                self._on_entry(entry)
        self._changed.set()

    def _say_receipts(self) -> None:
        self._receipt_timer = None
        self._centre.desk.say_receipts()
        self.publish()

    def _guard(self, work: Callable[[], None]) -> bool:
        """Do what needs the ledger; where that is away, try again by and by."""
        try:
            work()
        except TakenOverError as error:
            self._taken_over = error
            self._changed.set()
            return False
        except LedgerDownError as error:
            self._note_trouble(str(error))
            if self._retry_timer is None:
                self._retry_timer = asyncio.get_running_loop().call_later(self._retry_s, self._retry)
                self._retry_s = min(2 * self._retry_s, _RETRY_S[1])
            return False
        self._note_trouble("")
        self._retry_s = _RETRY_S[0]
        return True

    def _retry(self) -> None:
        self._retry_timer = None
        self._guard(lambda: self._take([]))

    def _note_trouble(self, trouble: str) -> None:
        changed, self.ledger_trouble = trouble != self.ledger_trouble, trouble
        if changed and self._on_ledger is not None:
            self._on_ledger(trouble)

    # Time.

    async def run(self) -> None:
        """Do what is due with time, until cancelled."""
        while True:
            self.tick()
            if self._taken_over is not None:
                raise self._taken_over
            shortest_s = _RETRY_S[0] if self.ledger_trouble else _SHORTEST_S
            wait_s = max(shortest_s, self._centre.sentry.next_deadline() - self._centre.now())
            self._changed.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(wait_s, _LONGEST_S)):
                    await self._changed.wait()

    def tick(self) -> None:
        """Do what is due now."""
        if self._centre.sentry.next_deadline() <= self._centre.now():
            self._guard(self._centre.sentry.handle_timer)
            self.publish()
        while (notification := self._centre.sentry.next_notification()) is not None:
            if self._on_notification is None:
                self.told(notification, "shown")
            else:
                self._on_notification(notification)

    def told(self, notification: Notification, outcome: str) -> None:
        """Somebody was told, with this outcome."""
        self._guard(partial(self._centre.sentry.told, notification, outcome))

    def tell(self, subject: str, code: str, text: str) -> None:
        """An alert of the centre about itself."""
        self._guard(partial(self._centre.tell, subject, code, text))

    def close(self) -> None:
        """No timer outlives it."""
        for timer in (self._drain_timer, self._receipt_timer, self._retry_timer):
            if timer is not None:
                timer.cancel()


_SHORTEST_S = 0.05
_LONGEST_S = 3600.0


def _is_urgent(topic: str, payload: bytes) -> bool:
    """By the topic, and a word that the gateway writes in clear: a wrong guess costs a moment, and nothing else."""
    is_history = any(f"/{channel}/" in topic for channel in ("event", "position", "presence"))
    return not is_history or b'"alarm":true' in payload or b'"alarm": true' in payload
