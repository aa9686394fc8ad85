"""A fake programmable supply."""

from collections.abc import Callable

from strapline_hil.instruments.fakes.pty_fake import PtyFake

IDENTITY = "Strapline,FAKE-PSU,0,1.0"
_NO_ERROR = '0,"No error"'
_SAG = 0.8


class FakeScpi(PtyFake):
    """Calls `on_change(milli_v, on)` for what is at its output; measures what `micro_a()` says.

    Faults: `sagging`, the output gives four fifths of what was set; `stuck`, its output does not switch.
    """

    own_faults = frozenset({"sagging", "stuck"})
    baudrate = 9600

    def __init__(
        self,
        on_change: Callable[[int, bool], None] | None = None,
        *,
        micro_a: Callable[[], float] = lambda: 0.0,
        most_mv: int = 30_000,
    ) -> None:
        super().__init__()
        self._on_change = on_change
        self._micro_a = micro_a
        self._most_mv = most_mv
        self._rest = b""
        self._errors: list[str] = []
        self._set_mv, self._set_on, self._limit_a, self._output = 0, False, 1.0, 1
        self._given = (0, False)

    @property
    def given_mv(self) -> int:
        """What is at its output."""
        return self._given[0]

    def plugged_in(self) -> None:
        self._rest = b""

    def faults_changed(self) -> None:
        self._give_power()

    def received(self, data: bytes) -> None:
        self._rest += data
        while b"\n" in self._rest:
            line, _, self._rest = self._rest.partition(b"\n")
            if answer := self._obey(line.decode("latin-1").strip().upper()):
                self.send(answer.encode() + b"\n")

    def _obey(self, line: str) -> str:
        header, _, value = line.partition(" ")
        if header.endswith("?"):
            return self._answer(header)
        if header == "OUTP" and value in {"ON", "OFF", "1", "0"}:
            self._set_on = value in {"ON", "1"} if not self.faults.strikes("stuck") else self._set_on
        elif header in {"VOLT", "CURR", "INST:NSEL"}:
            self._set(header, value)
        else:
            self._errors.append('-113,"Undefined header"')
        self._give_power()
        return ""

    def _set(self, header: str, value: str) -> None:
        try:
            number = float(value)
        except ValueError:
            self._errors.append('-120,"Numeric data error"')
            return
        if not 0 <= number <= self._most_mv / 1000:
            self._errors.append('-222,"Data out of range"')
        elif header == "VOLT":
            self._set_mv = round(number * 1000)
        elif header == "CURR":
            self._limit_a = number
        else:
            self._output = int(number)

    def _answer(self, header: str) -> str:
        answers: dict[str, Callable[[], str]] = {
            "*IDN?": lambda: IDENTITY,
            "VOLT?": lambda: f"{self._set_mv / 1000:.4f}",
            "CURR?": lambda: f"{self._limit_a:.4f}",
            "OUTP?": lambda: str(int(self._set_on)),
            "INST:NSEL?": lambda: str(self._output),
            "MEAS:VOLT?": lambda: f"{self.given_mv / 1000:.4f}",
            "MEAS:CURR?": lambda: f"{self._micro_a() / 1e6 if self._set_on else 0.0:.7f}",
            "SYST:ERR?": lambda: self._errors.pop(0) if self._errors else _NO_ERROR,
        }
        if header not in answers:
            self._errors.append('-113,"Undefined header"')
            return ""
        return answers[header]()

    def _give_power(self) -> None:
        milli_v = self._set_mv if self._set_on else 0
        if "sagging" in self.faults:
            milli_v = round(milli_v * _SAG)
        if (milli_v, self._set_on) != self._given:
            self._given = (milli_v, self._set_on)
            if self._on_change is not None:
                self._on_change(milli_v, self._set_on)
