"""The steps about the centre: a person acknowledges; the centre, a gateway or the broker is killed and starts again."""

from strapline_centre.centre import Centre
from strapline_protocol.errors import UserError
from strapline_simulator.chain import CENTRE, HOME, INGRESS, Chain
from strapline_simulator.scenario.centre import Acknowledgement, PartName

_IDS = {"home": HOME, "ingress": INGRESS, "centre": CENTRE}


class CentreSteps:
    """A part of `Script`, which has the attributes named here."""

    _chain: Chain

    def _tell(self, now: float, text: str) -> None:
        raise NotImplementedError

    async def _do_acknowledge(self, said: Acknowledgement, now: float) -> None:
        centre = self._chain.centre
        found = [alert for alert in centre.alerts.open if alert.code == said.alert]
        if not found:
            raise UserError(
                f"acknowledge: no alert {said.alert} stands open after {now:.0f} s; there are {_codes(centre)}"
            )
        for alert in found:
            centre.acknowledge(alert.id, said.note, said.by)

    async def _do_stop(self, part: PartName, _now: float) -> None:
        if part == "centre":
            self._chain.centre_process.kill()
        elif part == "broker":
            self._chain.broker.outage.stop()
        else:
            self._chain.broker.cut(_IDS[part])

    async def _do_start(self, part: PartName, _now: float) -> None:
        if part == "centre":
            await self._chain.centre_process.start()
        elif part == "broker":
            self._chain.broker.outage.start()
        else:
            await self._chain.broker.restore(_IDS[part])


def _codes(centre: Centre) -> str:
    return ", ".join(sorted({alert.code for alert in centre.alerts.open})) or "none"
