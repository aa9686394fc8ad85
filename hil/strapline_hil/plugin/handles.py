"""What the fixtures hand to a test: names for parts of one session. They hold nothing of their own."""

from collections.abc import Callable
from difflib import get_close_matches
from typing import Any

from strapline_hil.instruments.protocols import Instrument
from strapline_hil.rig.session import RigSession, Told
from strapline_hil.verdict import RigError
from strapline_protocol.definitions import EventCode
from strapline_protocol.errors import UserError
from strapline_simulator.run_notes import Happening

_OFF_S = 1.0
"""So long a board is without power, that its capacitors are empty."""


class Acting:
    """An instrument of a session: each of its calls happens at this moment of the rig's time, and is noted."""

    def __init__(self, session: RigSession, role: str) -> None:
        self._session, self._role = session, role
        self._instrument: Instrument = session.rig.instrument(role)

    def __repr__(self) -> str:
        return f"<{self._role}>"

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._instrument, name)
        return self._at_once(name, found) if callable(found) else found

    def _at_once(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def acted(*arguments: Any, **named: Any) -> Any:
            said = ", ".join([*map(_short, arguments), *(f"{key}={_short(value)}" for key, value in named.items())])
            self._session.happenings.append(Happening(self._session.now_s, "test", f"{self._role}.{name}({said})"))
            return self._session.act(lambda: call(*arguments, **named))

        return acted


class RigHandle:
    """`rig`: `rig.strap.cut()`, `rig.sleep(60)`."""

    def __init__(self, session: RigSession) -> None:
        self.session = session

    def __repr__(self) -> str:
        return "<rig>"

    @property
    def name(self) -> str:
        return self.session.rig.name

    @property
    def now_s(self) -> float:
        return self.session.now_s

    @property
    def virtual(self) -> Any:
        """The simulated side of a virtual rig, for tests of the bench itself."""
        made = getattr(self.session.rig, "virtual", None)
        if made is None:
            raise RigError(f"rig {self.name}", "is not virtual", "run this test on a virtual rig")
        return made

    def sleep(self, for_s: float) -> None:
        """Let so much of the rig's time pass."""
        self.session.sleep(float(for_s))

    def instrument(self, name: str) -> Acting:
        """By role, or by driver. Raises `RigError`."""
        parts = self.session.rig.file.instruments
        role = next((role for role, part in parts.items() if part.driver == name), name)
        return Acting(self.session, role)

    def has(self, role: str) -> bool:
        """Whether the rig has such an instrument."""
        return self.session.rig.has(role)

    def __getattr__(self, role: str) -> Acting:
        if role.startswith("_"):
            raise AttributeError(role)
        return self.instrument(role)


class TagHandle:
    """`tag`: the device under test, worn and armed."""

    def __init__(self, session: RigSession) -> None:
        self._session = session

    def __repr__(self) -> str:
        return "<tag>"

    @property
    def identity(self) -> str:
        return self._session.body.identity or self._session.body.name


class BoardHandle:
    """`board`: what the tag's firmware runs on."""

    def __init__(self, session: RigSession) -> None:
        self._session = session

    def __repr__(self) -> str:
        return "<board>"

    @property
    def identity(self) -> str:
        """What it says of itself."""
        return self._session.body.identity or self._session.rig.file.target.board

    @property
    def serial_log(self) -> str:
        """What it has printed so far."""
        return self._session.body.serial_log

    def reset(self, off_s: float = _OFF_S) -> None:
        """Take its power away and give it back, by the supply."""
        supply = RigHandle(self._session).instrument("supply")
        supply.off()
        self._session.sleep(off_s)
        supply.on()

    def flash(self, image: bytes) -> None:
        """Write a compiled product to it, which starts at the next `reset`."""
        flash = getattr(self._session.body, "flash", None)
        if flash is None:
            raise UserError(
                f"rig {self._session.rig.name}: this target takes no image in a test; a real board is flashed by `strapline firmware flash`"
            )
        self._session.act(lambda: flash(image))


class GatewayHandle:
    """`gateway`: the base station at home, with the centre that opens the tag's records behind it."""

    def __init__(self, session: RigSession, missed: list[str]) -> None:
        """What is waited for in vain goes into `missed`."""
        self._session, self._missed = session, missed

    def __repr__(self) -> str:
        return "<gateway>"

    def wait_for(self, code: str, within_s: float, since_s: float | None = None) -> Told | None:
        """The first such record of the tag that comes from now on; None where none has come in time.

        Raises `UserError` for a code that no tag has.
        """
        _check_code(code)
        told = self._session.wait_for(code, float(within_s), since_s)
        if told is None:
            self._missed.append(f"no {code} within {within_s:g} s")
        return told

    @property
    def told(self) -> list[Told]:
        """All that the tag has told."""
        return self._session.told


def _short(value: Any) -> str:
    """An argument as a line can hold it."""
    if isinstance(value, bytes):
        return f"{len(value)} bytes"
    return repr(value)


def _check_code(code: str) -> None:
    """A misspelt code would never come, and be taken for the product's failure."""
    known = [known.name.lower() for known in EventCode]
    if code not in known:
        near = get_close_matches(code, known, n=3) or known
        raise UserError(f'gateway.wait_for("{code}"): no tag tells that; did you mean {", ".join(near)}?')
