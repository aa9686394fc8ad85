"""What a gateway answers on its control socket."""

import asyncio
from typing import Any, Protocol

from strapline_gateway.assembly import Assembly
from strapline_gateway.config import Config
from strapline_gateway.look import Look
from strapline_gateway.tap import plain as plain_taken
from strapline_gateway.vitals import plain
from strapline_protocol.errors import UserError
from strapline_protocol.local_control import Handlers


class Host(Protocol):
    """The service, as far as it is asked."""

    config: Config
    look: Look
    parts: Assembly

    def reload(self) -> dict[str, list[str]]: ...


class Answers:
    """For one service."""

    def __init__(self, host: Host) -> None:
        self._host = host

    def handlers(self) -> Handlers:
        return {
            "status": self._status,
            "reload": self._reload,
            "range": self._range,
            "trace": self._trace,
        }

    def _status(self, _asked: dict[str, Any]) -> Any:
        vitals = plain(self._host.look.vitals())
        return {**vitals, "troubles": plain(self._host.look.troubles())}

    def _reload(self, _asked: dict[str, Any]) -> Any:
        return self._host.reload()

    def _trace(self, asked: dict[str, Any]) -> Any:
        after = asked.get("after")
        if not (after is None or type(after) is int):
            raise UserError(f"after is a number or null, not {str(after)[:40]!r}")
        return {"gateway": self._host.config.gateway.id, **plain_taken(self._host.parts.tap.take(after))}

    def _range(self, asked: dict[str, Any]) -> Any:
        station, now = self._host.parts.station, asyncio.get_running_loop().time()
        tag, step = str(asked.get("tag")), asked.get("step")
        try:
            if step == "begin":
                if not station.begin_range_test(tag, now):
                    raise UserError(f"no tag {tag[:40]!r} is enrolled; `strapline gateway status` lists them")
                return {}
            if step == "spot":
                station.begin_spot(tag, str(asked.get("name"))[:64], now, is_home=asked.get("is_home") is not False)
                return {}
            if step == "end":
                report = station.end_range_test(tag, now)
                self._host.parts.gateway.drain()
                return plain(report)
            station.end_spot(tag, now)
            return plain(station.range_report(tag))
        except KeyError:
            raise UserError(f"no range test of tag {tag[:40]!r} is under way; begin it again") from None
