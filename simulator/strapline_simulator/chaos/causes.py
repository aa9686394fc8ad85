"""Which alerts a run has a cause for: an alert that nothing in the world has caused is a false one, and as bad as a lost alarm."""

from strapline_protocol.codes import EventCode
from strapline_simulator.chaos.wearer import Wearer
from strapline_simulator.chaos.world import World
from strapline_wire import frames

_WAY = {
    "kill",
    "kill at work",
    "broker restart",
    "broker forgets",
    "mqtt cut",
    "centre away",
    "centre restart",
    "rough delivery",
    "disk full",
}
"""What silences a gateway for the centre, or the centre for a gateway, or takes messages away between them."""

_AIR = {"out of reach", "no coverage", "radio loss", "tag power cut"}

_CAUSES = {
    "gateway_lost": _WAY,
    "gateway_silent": _WAY,
    "centre_silent": _WAY,
    "gap": _WAY,
    "dropping": _WAY,
    "disk_full": {"disk full"},
    "clock_jumped": {"clock jump"},
    "tag_silent": _WAY | _AIR,
}
"""Faults of a run by what they may bring about. Nobody in these worlds clones, replays, jams, forges or carries a gateway away."""


def causeless(world: World) -> list[str]:
    """The alerts, as text, that this world has not caused."""
    faults = {fault.name for fault in world.faults}
    return [
        f"{alert.subject}: {alert.code}, {alert.times} times"
        for alert in world.centre.ledger.alerts.all()
        if not _has_cause(alert.code, world.wearers.get(alert.subject), faults)
    ]


def _has_cause(code: str, wearer: Wearer | None, faults: set[str]) -> bool:
    if wearer is None or code in _CAUSES:
        return bool(faults & _CAUSES.get(code, set()))
    if code == "alarm":  # a heartbeat told of one whose record came elsewhere, or again after a restart
        return any(recorded.alarm for recorded in wearer.truth.values())
    told = {recorded.fields["code"] for recorded in wearer.truth.values() if recorded.kind == frames.EVENT}
    return code in {EventCode(number).name.lower() for number in told}
