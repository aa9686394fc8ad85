"""A labgrid place under our rig: its console as a board's line, its power as a switch. labgrid itself is not among our requirements.

What a place is (exporters, coordinators, reservations, who may have it) is labgrid's; here its environment file is opened and two of its
protocols are used (https://labgrid.readthedocs.io/en/latest/overview.html).
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Any, Self

from strapline_hil.board_line import LOOK_S
from strapline_hil.repl_board import ReplBoard
from strapline_hil.verdict import RigError

SCHEME = "labgrid://"
"""Before an environment file in a board's address; `#TARGET` behind it where that is not `main`."""

_MOST = 4096


class LabgridPlace:
    """A target of a labgrid environment: `console()` for bytes, `board()` for the raw REPL on it, `power` to switch it. Ends with `close`.

    All that fails in labgrid is one RigError that names file and target.
    """

    def __init__(self, environment: Path | str, target: str = "main") -> None:
        self.name = f"{environment}, target {target}"
        if not Path(environment).is_file():
            raise RigError(self.name, "there is no such file", "name a labgrid environment")
        with self._asked("is no environment that labgrid takes", "mend the file"):
            self._environment, self._target = _open(str(environment), target)
        if self._target is None:
            raise RigError(self.name, "there is no such target in the file", "name one of its targets")
        self.power = LabgridPower(self.name, self._power_driver)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def close(self) -> None:
        """May be called twice."""
        with suppress(Exception):  # a driver whose resource has gone cannot be ended any better
            self._environment.cleanup()

    def console(self) -> "ConsoleLine":
        with self._asked(
            "has no console that opens", "give it a RawSerialPort and a SerialDriver, and end what has its port"
        ):
            return ConsoleLine(self._target, self._target.get_driver("ConsoleProtocol"))

    @contextmanager
    def board(self) -> Iterator[ReplBoard]:
        board = ReplBoard(self.name, self.console(), again=self.console)
        try:
            board.enter()
            yield board
        finally:
            board.leave()

    def _power_driver(self) -> Any:
        return self._target.get_driver("PowerProtocol")

    def _asked(self, what: str, mend: str) -> AbstractContextManager[None]:
        return _asked(self.name, what, mend)


class ConsoleLine:
    """labgrid's ConsoleProtocol with the face of a pyserial port, as far as a board's driver looks at it: without DTR and RTS."""

    __slots__ = ("_driver", "_heard", "_silence", "_target", "is_open", "timeout")

    def __init__(self, target: Any, driver: Any) -> None:
        from pexpect import TIMEOUT

        self._target, self._driver, self._silence = target, driver, TIMEOUT
        self._heard = b""
        self.timeout: float | None = LOOK_S
        self.is_open = True

    @property
    def port(self) -> str:
        """No device: what is behind the console is labgrid's."""
        return "labgrid://"

    @property
    def in_waiting(self) -> int:
        self._hear(0.0)
        return len(self._heard)

    def read(self, size: int = 1) -> bytes:
        if not self._heard:
            self._hear(self.timeout or 0.0)
        data, self._heard = self._heard[:size], self._heard[size:]
        return data

    def write(self, data: bytes) -> int:
        written: int = self._driver.write(data)
        return written

    def close(self) -> None:
        if self.is_open:
            self.is_open = False
            with suppress(Exception):  # its port may have gone
                self._target.deactivate(self._driver)

    def _hear(self, limit_s: float) -> None:
        with suppress(self._silence):
            self._heard += self._driver.read(size=1, timeout=limit_s, max_size=_MOST)


class LabgridPower:
    """Whatever switches the target's power in labgrid: a socket, a USB hub, a command, a person."""

    def __init__(self, name: str, driver: Callable[[], Any]) -> None:
        self.name = name
        self._driver = driver

    def on(self) -> None:
        self._do("on")

    def off(self) -> None:
        self._do("off")

    def cycle(self) -> None:
        """Off, and after labgrid's delay on again."""
        self._do("cycle")

    def check(self) -> list[str]:
        """Whether labgrid has a power driver for it: nothing is switched, and most of them cannot be asked."""
        try:
            with _asked(self.name, "has no power that can be switched", "give it a driver for its power"):
                self._driver()
        except RigError as error:
            return [str(error)]
        return []

    def close(self) -> None:
        """The power stays as it is: the place is labgrid's."""

    def _do(self, action: str) -> None:
        with _asked(
            self.name,
            f"its power does not go {action}",
            "give it a driver for its power, and try it with labgrid-client",
        ):
            getattr(self._driver(), action)()


class LabgridMains:
    """The base station's plug, switched by a place's power."""

    def __init__(self, address: str, *, name: str = "mains") -> None:
        self.name = name
        self._place = place_at(address)

    def on(self) -> None:
        self._place.power.on()

    def off(self) -> None:
        self._place.power.off()

    def check(self) -> list[str]:
        return self._place.power.check()

    def blind_spots(self) -> list[str]:
        return [f"{self.name}: nothing measures the plug; what labgrid was told may not have happened"]

    def close(self) -> None:
        """The station has power again."""
        with suppress(RigError):  # it is the end, and the place has gone
            self.on()
        self._place.close()


def place_at(address: str) -> LabgridPlace:
    """`labgrid://environment.yaml`, or `labgrid://environment.yaml#target`. RigError where there is no such place."""
    environment, _, target = address.removeprefix(SCHEME).partition("#")
    return LabgridPlace(environment, target or "main")


def address_from(folder: Path, address: str) -> str:
    """The same address; the environment of a place is looked for from this folder."""
    if not address.startswith(SCHEME):
        return address
    return SCHEME + str(folder / address.removeprefix(SCHEME))


def _open(environment: str, target: str) -> tuple[Any, Any]:
    try:
        from labgrid import Environment
    except ImportError:
        raise RigError(
            environment, "there is no labgrid on this machine", "pip install labgrid, in an environment of its own"
        ) from None
    opened = Environment(environment)
    return opened, opened.get_target(target)


@contextmanager
def _asked(place: str, what: str, mend: str) -> Iterator[None]:
    try:
        yield
    except RigError:
        raise
    except Exception as error:  # noqa: BLE001 - labgrid's drivers raise whatever the libraries below them raise
        words = " ".join(str(getattr(error, "msg", "") or error).split())[:200] or type(error).__name__
        raise RigError(place, f"{what} ({words})", mend) from None
