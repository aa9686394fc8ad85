"""What a running centre answers to its own commands: alerts, acknowledgements, messages to wearers, how things stand. Plain JSON values."""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from strapline_centre.alert_rows import Alert, StepRow
from strapline_centre.beside import beside
from strapline_centre.centre import Centre
from strapline_centre.database import LedgerDownError
from strapline_centre.ledger import Entry
from strapline_centre.schedule import Schedule
from strapline_centre.service import CentreService
from strapline_protocol.codes import EventCode, Setting
from strapline_protocol.contract import utc_text
from strapline_protocol.errors import UserError
from strapline_wire.errors import LocalProtocolError

_NEWEST = 20
_EVENTS = {int(code): code.name.lower() for code in EventCode}

Handlers = Mapping[str, Callable[[dict[str, Any]], Any]]


class Answers:
    """Of one running centre. `schedule_of(tag)` reads the wearer's schedule as it is configured now."""

    def __init__(self, centre: Centre, service: CentreService, schedule_of: Callable[[str], Schedule | None]) -> None:
        self._centre = centre
        self._service = service
        self._schedule_of = schedule_of
        self._newest: deque[dict[str, Any]] = deque(maxlen=_NEWEST)
        for entry in centre.ledger.newest(_NEWEST):
            self.entered(entry)

    def entered(self, entry: Entry) -> None:
        """A new entry, to be shown."""
        self._newest.append(entry_json(entry))

    @property
    def handlers(self) -> Handlers:
        asked: dict[str, Callable[[dict[str, Any]], Any]] = {
            "status": lambda _asked: self.status(),
            "alerts": self._alerts,
            "ack": self._acknowledge,
            "message": self._message,
            "locate": self._locate,
            "curfew": self._curfew,
            "zones": self._zones,
            "settings": self._settings,
            "rekey": lambda asked: {"generation": self._centre.rekey(self._tag(asked))},
        }
        return {name: self._guarded(handler) for name, handler in asked.items()}

    def beside(self, alert: Alert) -> list[Alert]:
        """What else was told about then that may have deafened the tag that is said to be away, or its gateways."""
        centre = self._centre
        return beside(alert, centre.alerts.alerts, centre.gateways_of(alert.subject))

    def _alerts(self, asked: dict[str, Any]) -> list[dict[str, Any]]:
        return alerts_json(self._centre.ledger, open_only=bool(asked.get("open")), others=self.beside)

    def _guarded(self, handler: Callable[[dict[str, Any]], Any]) -> Callable[[dict[str, Any]], Any]:
        def answer(asked: dict[str, Any]) -> Any:
            try:
                told = handler(asked)
            except LocalProtocolError as error:
                raise UserError(str(error)) from None
            except LedgerDownError as error:
                raise UserError(f"{error}: the ledger is away; nothing was done") from None
            except (KeyError, TypeError, ValueError) as error:
                raise UserError(f"not understood: {error}") from None
            self._service.publish()
            return told

        return answer

    def _tag(self, asked: dict[str, Any]) -> str:
        tag = str(asked["tag"])
        if tag not in self._centre.tags:
            raise UserError(f"{tag} is no tag of this centre; provision it, and name its key file in tags.keys")
        return tag

    def _acknowledge(self, asked: dict[str, Any]) -> Any:
        ident, note, by = int(asked["id"]), str(asked["note"]), str(asked["by"])
        return alert_json(self._centre.acknowledge(ident, note, by))

    def _message(self, asked: dict[str, Any]) -> Any:
        within_s = int(asked.get("answer_within_s", 0))
        flags = (1 if within_s else 0) | (2 if asked.get("vibrate", bool(within_s)) else 0)
        more = {"language": str(asked.get("language", "")), "flags": flags, "answer_within_s": within_s}
        return {"id": self._centre.send_message(self._tag(asked), str(asked["text"]), **more)}  # type: ignore[arg-type] # as named

    def _locate(self, asked: dict[str, Any]) -> Any:
        return {"id": self._centre.locate(self._tag(asked), int(asked["within_s"]))}

    def _curfew(self, asked: dict[str, Any]) -> Any:
        tag = self._tag(asked)
        schedule = self._schedule_of(tag)
        if schedule is None:
            raise UserError(f"{tag} has no windows; write may_leave into its section [[person]] of the configuration")
        return {"revision": self._centre.send_curfew(tag, schedule)}

    def _zones(self, asked: dict[str, Any]) -> Any:
        return {"revision": self._centre.set_zones(self._tag(asked), _tuples(asked["zones"]))}

    def _settings(self, asked: dict[str, Any]) -> Any:
        names = {name.name.lower(): name for name in Setting}
        unknown = [name for name in asked["settings"] if name not in names]
        if unknown:
            raise UserError(f"{unknown[0]} is no setting of a tag; there are {', '.join(names)}")
        settings = [(names[name], int(value)) for name, value in asked["settings"].items()]
        homes = [int(str(home), 16) for home in asked.get("homes", [])]
        return {"revision": self._centre.send_config(self._tag(asked), homes=homes, settings=settings)}

    # How things stand.

    def status(self) -> dict[str, Any]:
        centre, service = self._centre, self._service
        return {
            "utc": utc_text(centre.utc()),
            "broker": service.connected,
            "ledger": service.ledger_trouble or "ok",
            "waiting": centre.waiting,
            "received": service.received,
            "rejected": dict(sorted(centre.rejected.items())),
            "gateways": [self._gateway(gateway) for gateway in centre.gateways],
            "tags": [self._tag_status(tag) for tag in centre.tags],
            "alerts": [alert_json(alert, self.beside(alert)) for alert in centre.alerts.open],
            "newest": list(self._newest),
        }

    def _gateway(self, gateway: str) -> dict[str, Any]:
        watch = self._centre.sentry.watch
        return {
            "id": gateway,
            "state": self._centre.gateway_states.get(gateway, "unknown"),
            "silent": watch.is_silent(gateway),
            "heard_s_ago": self._ago_s(gateway),
        }

    def _tag_status(self, tag: str) -> dict[str, Any]:
        centre = self._centre
        return {
            "id": tag,
            "monitored": bool(centre.monitored.get(tag)),
            "present": centre.readers.is_present(tag),
            "reader": centre.readers.strongest(tag),
            "heard_s_ago": self._ago_s(tag),
            "orders": len(centre.orders.of(tag)),
            "open_alerts": sum(alert.subject == tag for alert in centre.alerts.open),
        }

    def _ago_s(self, subject: str) -> float | None:
        at = self._centre.sentry.watch.last_heard(subject)
        return None if at is None else round(self._centre.now() - at, 1)


def alerts_json(
    ledger: Any, *, open_only: bool, others: Callable[[Alert], list[Alert]] = lambda _alert: []
) -> list[dict[str, Any]]:
    """Alerts with their steps, as plain values; from a ledger, whether a centre works on it or not.

    What stands beside one, only a centre knows.
    """
    alerts = ledger.alerts.open() if open_only else ledger.alerts.all()
    steps: dict[int, list[StepRow]] = {}
    for step in ledger.alerts.steps():
        steps.setdefault(step.alert, []).append(step)
    return [
        {**alert_json(alert, others(alert)), "steps": [step_json(step) for step in steps.get(alert.id, [])]}
        for alert in alerts
    ]


def alert_json(alert: Alert, others: Sequence[Alert] = ()) -> dict[str, Any]:
    told = [{"id": other.id, "code": other.code, "subject": other.subject} for other in others]
    values = alert._asdict() | {"last_utc": alert.last, "open": alert.is_open, "beside": told}
    return {name: utc_text(value) if isinstance(value, datetime) else value for name, value in values.items()}


def step_json(step: StepRow) -> dict[str, Any]:
    values = step._asdict()
    return {name: utc_text(value) if isinstance(value, datetime) else value for name, value in values.items()}


def entry_json(entry: Entry) -> dict[str, Any]:
    """For people to read; the export has all of it."""
    fields = entry.fields
    what = _EVENTS.get(int(fields["code"]), str(fields["code"])) if entry.kind == "event" else entry.kind
    if entry.kind == "notice":
        what = f"notice {fields['code']}"
    elif entry.kind == "presence":
        what = f"{fields['tag']} is {'here' if fields['present'] else 'gone'}"
    return {
        "source": entry.source,
        "kind": entry.kind,
        "what": what,
        "gateway": entry.gateway,
        "gateway_utc": utc_text(entry.gateway_utc),
        "centre_utc": utc_text(entry.centre_utc.astimezone(UTC)),
        "clock": entry.clock,
        "historical": entry.historical,
    }


def _tuples(value: Any) -> Any:
    return tuple(map(_tuples, value)) if isinstance(value, list) else value
