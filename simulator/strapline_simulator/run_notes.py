"""What is noted while a run goes on: what the centre has, when, whom it told, and how much memory the tag uses."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from strapline_centre.alerts import Alert
from strapline_centre.ledger import Entry
from strapline_centre.sentry import Notification
from strapline_simulator.assessment import event_name
from strapline_simulator.chain import Chain
from strapline_simulator.report import Heap

_FIRST_DAY_S = 86400.0


class Happening(NamedTuple):
    """Something to show while a run goes on; `place` is `body`, `world`, `centre` or `alert`."""

    t_s: float
    place: str
    text: str


class RunNotes:
    """Of one run; `watch` hears of what is worth showing. All times are seconds since the scenario's start."""

    def __init__(self, watch: Callable[[Happening], None]) -> None:
        self.watch = watch
        self.entries: list[tuple[float, Entry]] = []
        self.alerts: dict[int, tuple[float, str, str]] = {}
        """By id: when it was shown first, code and text."""
        self.told: list[tuple[float, str]] = []
        """When a role was told of an alert."""
        self.book: list[Alert] = []
        """All alerts, as the ledger has them at the end."""
        self._looks: list[tuple[float, Mapping[str, Any]]] = []

    def listen(self, chain: Chain) -> None:
        """From now on what comes to this chain's centre is noted."""
        chain.centre_process.on_entry = lambda entry: self._entered(chain, entry)
        chain.centre_process.on_notification = lambda told: self._notified(chain, told)

    def conclude(self, chain: Chain) -> None:
        """The scenario has ended; the chain still stands."""
        self._note_alerts(chain)
        self.book = chain.ledger.alerts.all()

    def measured(self, t_s: float, look: Mapping[str, Any]) -> None:
        """What the tag's interpreter says of itself."""
        self._looks.append((t_s, look))

    @property
    def heap(self) -> Heap | None:
        """None where the body has no heap of its own."""
        looks = [(t_s, look) for t_s, look in self._looks if "heap_used" in look]
        if not looks:
            return None
        return Heap(
            loaded_bytes=looks[0][1]["heap_loaded"],
            peak_bytes=max(look["heap_used"] for _, look in looks),
            first_day_bytes=max(look["heap_used"] for t_s, look in looks if t_s <= max(_FIRST_DAY_S, looks[0][0])),
            least_block_bytes=min(look["heap_block"] for _, look in looks),
        )

    def _entered(self, chain: Chain, entry: Entry) -> None:
        now = chain.now_s()
        self.entries.append((now, entry))
        if entry.kind == "event":
            self.watch(Happening(now, "centre", event_name(entry.fields["code"])))
        elif entry.kind == "notice":
            self.watch(Happening(now, "centre", f"{entry.source}: {entry.fields['code']}"))
        self._note_alerts(chain)

    def _note_alerts(self, chain: Chain) -> None:
        # Some come with an entry, others with the time.
        now = chain.now_s()
        for alert in chain.centre.alerts.alerts:
            if alert.id not in self.alerts:
                self.watch(Happening(now, "alert", alert.text))
            at, _, _ = self.alerts.get(alert.id, (now, "", ""))
            self.alerts[alert.id] = at, alert.code, alert.text

    def _notified(self, chain: Chain, told: Notification) -> None:
        now = chain.now_s()
        self._note_alerts(chain)
        self.told.append((now, told.step.role))
        if told.step.number:
            self.watch(Happening(now, "alert", f"nobody has acknowledged: {told.step.role} is told"))
