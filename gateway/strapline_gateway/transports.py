"""One string, one link: `ble:`, `ble:hci1`, `serial:/dev/ttyUSB0@115200`, `tcp:0.0.0.0:7070`."""

import sys
from collections.abc import Callable, Coroutine, Iterable, Mapping
from types import TracebackType
from typing import Any, NamedTuple, Protocol, Self

from strapline_gateway.health import Health
from strapline_gateway.station import Abandon, Connect, HangUp, Station, Transmit
from strapline_gateway.tap import Tap
from strapline_protocol.errors import UserError
from strapline_protocol.notices import Notice

BAUD = 115_200

_KINDS = "ble:[ADAPTER], serial:PORT[@BAUD] or tcp:HOST:PORT"


class Link(Protocol):
    """What a gateway asks of its links. An asynchronous context manager: from entering on tags can come, after leaving none is there."""

    name: str

    @property
    def health(self) -> Health: ...

    def perform(self, event: Connect | Abandon | Transmit | HangUp) -> bool:
        """Do what the station asks; False where it is no business of this link."""

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None: ...


class Ble(NamedTuple):
    """A Bluetooth adapter; the system's first where none is named."""

    adapter: str = ""


class Serial(NamedTuple):
    """A tag on a wire."""

    port: str
    baud: int = BAUD


class Tcp(NamedTuple):
    """Where callers come in; no host is every address of this machine."""

    host: str
    port: int


def parse(text: str) -> Ble | Serial | Tcp:
    """Read one string; `UserError` says what is wrong with it and what would be right."""
    kind, colon, rest = text.partition(":")
    if kind == "ble" and colon:
        return _ble(text, rest)
    if kind == "serial" and colon:
        return _serial(text, rest)
    if kind == "tcp" and colon:
        return _tcp(text, rest)
    raise UserError(f"{text!r} is no link: write {_KINDS}")


def _ble(text: str, adapter: str) -> Ble:
    if adapter and not adapter.isalnum():
        raise UserError(f"{text!r} names no Bluetooth adapter: write ble: for the first one, or ble:hci1")
    return Ble(adapter)


def _serial(text: str, rest: str) -> Serial:
    port, at, baud = rest.rpartition("@")
    if not at:
        port, baud = rest, str(BAUD)
    if not port:
        raise UserError(f"{text!r} names no port: write serial:/dev/ttyUSB0 or serial:/dev/ttyUSB0@{BAUD}")
    if not (baud.isascii() and baud.isdigit() and 300 <= int(baud) <= 4_000_000):
        raise UserError(f"{text!r}: {baud!r} is no speed in baud: 300 to 4000000, such as serial:{port}@{BAUD}")
    return Serial(port, int(baud))


def _tcp(text: str, rest: str) -> Tcp:
    host, colon, port = rest.rpartition(":")
    if not colon or not (port.isascii() and port.isdigit() and int(port) <= 65_535):
        raise UserError(f"{text!r} names no port: write tcp:0.0.0.0:7070, or tcp:[::]:7070 for IPv6")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise UserError(f"{text!r}: an IPv6 address stands in brackets: write tcp:[{host}]:{port}")
    return Tcp("" if host == "*" else host, int(port))


def open_links(
    texts: Iterable[str],
    station: Station,
    on_change: Callable[[], None],
    tell: Callable[[Notice], None],
    *,
    options: Mapping[str, Mapping[str, Any]] | None = None,
    tap: Tap | None = None,
) -> list[Link]:
    """A link for each string, none of them entered yet.

    `on_change` is called when the station may have something to do, `tell` with what a link has to tell. `options` are more arguments
    for the links of one kind, such as `{"ble": {"deaf_after_s": 30.0}, "tcp": {"limits": TcpLimits(connections=100)}}`.
    At `tap` is noted what passes. `UserError` before anything is opened, for strings that are wrong or do not go together.
    """
    texts = list(texts)
    parsed = [parse(text) for text in texts]
    _refuse_twins(texts, parsed)
    more = {kind: {"tap": tap, **(options or {}).get(kind, {})} for kind in ("ble", "serial", "tcp")}
    return [_link(text, address, station, on_change, tell, more) for text, address in zip(texts, parsed, strict=True)]


def _refuse_twins(texts: list[str], parsed: list[Ble | Serial | Tcp]) -> None:
    radios = [a for a in parsed if isinstance(a, Ble)]
    if len(radios) > 1 and Ble() in radios:
        raise UserError(
            "ble: is the first adapter, which may be one of the others: name each, such as ble:hci0 and ble:hci1"
        )
    places = [a.port if isinstance(a, Serial) else a for a in parsed]
    for text, place in zip(texts, places, strict=True):
        if places.count(place) > 1 and not (isinstance(place, Tcp) and place.port == 0):
            raise UserError(f"{text!r} stands there twice: leave one of them out")


def _link(
    text: str,
    address: Ble | Serial | Tcp,
    station: Station,
    on_change: Callable[[], None],
    tell: Callable[[Notice], None],
    options: Mapping[str, Mapping[str, Any]],
) -> Link:
    # Each kind brings libraries of its own: what is not used need not be there.
    if isinstance(address, Ble):
        from strapline_gateway.ble import BleLink

        chosen = {"reset": _platforms_reset(), **options.get("ble", {})}
        return BleLink(station, on_change, tell=tell, adapter=address.adapter, name=text, **chosen)
    if isinstance(address, Serial):
        from strapline_gateway.serial_link import SerialLink

        return SerialLink(address.port, address.baud, station, on_change, name=text, **options.get("serial", {}))
    from strapline_gateway.tcp_link import TcpLink

    return TcpLink(address.host, address.port, station, on_change, name=text, **options.get("tcp", {}))


def _platforms_reset() -> Callable[[str], Coroutine[Any, Any, None]] | None:
    """How an adapter is switched off and on here, where anybody can."""
    if sys.platform != "linux":
        return None
    from strapline_gateway.adapter_power import power_cycle

    return power_cycle
