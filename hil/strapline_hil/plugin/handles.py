"""What the fixtures hand to a test: names for parts of one session. They hold nothing of their own."""

from collections.abc import Callable
from typing import Any

from strapline_hil.instruments.protocols import Instrument
from strapline_hil.rig.session import RigSession, Told


class Acting:
    """An instrument of a session: each of its calls happens at this moment of the rig's time."""

    def __init__(self, session: RigSession, instrument: Instrument) -> None:
        self._session, self._instrument = session, instrument

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._instrument, name)
        return self._at_once(found) if callable(found) else found

    def _at_once(self, call: Callable[..., Any]) -> Callable[..., Any]:
        return lambda *arguments, **named: self._session.act(lambda: call(*arguments, **named))


class RigHandle:
    """`rig`: `rig.strap.cut()`, `rig.sleep(60)`."""

    def __init__(self, session: RigSession) -> None:
        self.session = session

    @property
    def name(self) -> str:
        return self.session.rig.name

    @property
    def now_s(self) -> float:
        return self.session.now_s

    def sleep(self, for_s: float) -> None:
        """Let so much of the rig's time pass."""
        self.session.sleep(for_s)

    def has(self, role: str) -> bool:
        """Whether the rig has such an instrument."""
        return self.session.rig.has(role)

    def __getattr__(self, role: str) -> Acting:
        return Acting(self.session, self.session.rig.instrument(role))


class TagHandle:
    """`tag`: the device under test, worn and armed."""

    def __init__(self, session: RigSession) -> None:
        self._session = session

    @property
    def identity(self) -> str:
        return self._session.body.identity or self._session.body.name


class GatewayHandle:
    """`gateway`: the base station at home, with the centre that opens the tag's records behind it."""

    def __init__(self, session: RigSession) -> None:
        self._session = session

    def wait_for(self, code: str, within_s: float, since_s: float | None = None) -> Told | None:
        """The first such record of the tag that comes from now on; None where none has come in time."""
        return self._session.wait_for(code, within_s, since_s)

    @property
    def told(self) -> list[Told]:
        """All that the tag has told."""
        return self._session.told
