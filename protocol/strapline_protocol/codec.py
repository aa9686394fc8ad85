"""The codec of both ends as source text: constants, records, `pack_…` and `unpack_…`, for MicroPython and CPython alike.

What has a fixed size goes into `strapline_wire.frames`, what has not into `strapline_wire.documents`, so that a tag loads what it uses.
"""

from collections.abc import Iterator
from enum import IntEnum
from typing import Any, NamedTuple

from strapline_protocol.codes import RANGES, EventCode, Kind, Refusal, Rule, Setting, State, Window
from strapline_protocol.definitions import ALARMS, DOCUMENT_LIMIT, ENVELOPE, FRAMES, HEADER
from strapline_protocol.downlink import PART_LIMIT
from strapline_protocol.layout import Frame, Leaf, is_fixed, leaves, records_of

TRUNCATED = 'RemoteProtocolError("truncated") from None'


def class_name(name: str) -> str:
    """The record's class: `TIME_REQUEST` is `TimeRequest`."""
    return name.title().replace("_", "") if name.isupper() else name


def _lower(name: str) -> str:
    if name.isupper():
        return name.lower()
    return "".join("_" + letter.lower() if letter.isupper() else letter for letter in name).lstrip("_")


def fixed_bodies(frames: tuple[Frame, ...]) -> Iterator[tuple[str, Any]]:
    yield "HEADER", HEADER
    yield "ENVELOPE", ENVELOPE
    yield from ((frame.kind.name, frame.layout) for frame in frames if is_fixed(frame.layout))


def variable_bodies(frames: tuple[Frame, ...]) -> Iterator[tuple[str, Any]]:
    """The records inside lists come before the frame that holds them."""
    for frame in frames:
        if not is_fixed(frame.layout):
            yield from records_of(frame.layout)
            yield frame.kind.name, frame.layout


# Sources.


def frames_source(made: str, frames: tuple[Frame, ...] = FRAMES) -> str:
    """`strapline_wire/frames.py`."""
    lines = [f"# {made}", "# fmt: off", "from struct import pack as _pack", ""]
    lines += [
        "from strapline_wire.compat import SHORT, const, reader, record",
        "from strapline_wire.errors import LocalProtocolError, RemoteProtocolError",
        "",
    ]
    for prefix, codes in (("", Kind), ("EVENT_", EventCode), ("REFUSAL_", Refusal)):
        lines += [*_constants(prefix, codes), ""]
    lines += [f"EVENT_ALARMS = frozenset(({', '.join(str(int(code)) for code in sorted(ALARMS))}))", ""]
    lines += [f"STATE_{state.name} = const(0x{state.value:04X})" for state in State]
    for name, layout in fixed_bodies(frames):
        lines += _fixed(name, list(leaves(layout)))
    return "\n".join(lines) + "\n"


def documents_source(made: str, frames: tuple[Frame, ...] = FRAMES) -> str:
    """`strapline_wire/documents.py`."""
    lines = [f"# {made}", "# fmt: off", "from struct import pack as _pack", ""]
    lines += [
        "from strapline_wire.compat import SHORT, const, reader, record, rows, utf8",
        "from strapline_wire.errors import LocalProtocolError, RemoteProtocolError",
        "",
        f"DOCUMENT_LIMIT = const({DOCUMENT_LIMIT})",
        f"PART_LIMIT = const({PART_LIMIT})",
        "",
    ]
    for prefix, codes in (("WINDOW_", Window), ("RULE_", Rule), ("SETTING_", Setting)):
        lines += [*_constants(prefix, codes), ""]
    lines += ["# What a setting may be: (lowest, highest).", "SETTING_RANGES = {"]
    lines += [
        f"    {setting.value}: ({RANGES[setting].low}, {RANGES[setting].high}),  # {setting.name.lower()}"
        for setting in Setting
    ]
    lines += [
        "}",
        "",
        "# The same for a tag, with the name that its configuration gives it: one text takes the least of a board's flash.",
    ]
    table = " ".join(f"{s.value} {s.name.lower()} {RANGES[s].low} {RANGES[s].high}" for s in Setting)
    lines += [f'SETTINGS = "{table}"']
    for name, layout in variable_bodies(frames):
        lines += _variable(name, list(leaves(layout)))
    return "\n".join(lines) + "\n"


def _constants(prefix: str, codes: type[IntEnum]) -> list[str]:
    form = "0x{:02X}" if codes is Kind else "{}"
    return [f"{prefix}{code.name} = const({form.format(code.value)})" for code in codes]


def _record(name: str, fields: list[Leaf]) -> str:
    names = ", ".join(repr(leaf.name) for leaf in fields) + ("," if len(fields) == 1 else "")
    return f"{class_name(name)} = record({class_name(name)!r}, ({names}))"


# Fixed sizes.


def _fixed(name: str, fields: list[Leaf]) -> list[str]:
    lower, shown, form = _lower(name), class_name(name), ">" + "".join(leaf.code for leaf in fields)
    names = ", ".join(leaf.name for leaf in fields) + ("," if len(fields) == 1 else "")
    lines = ["", "", f"{name}_SIZE = const({sum(leaf.size for leaf in fields)})"]
    lines += [_record(name, fields), f'_{lower} = reader("{form}")', "", ""]
    lines += [
        f"def pack_{lower}(value):",
        f"    {names} = value",
        f"    if not ({_in_type(fields)}):",
        f'        raise LocalProtocolError("{name} out of range", value)',
        f'    return _pack("{form}", {names.rstrip(",")})',
        "",
        "",
        f"def unpack_{lower}(data):",
        "    try:",
        f"        value = {shown}(_{lower}(data))",
        "    except SHORT:",
        f"        raise {TRUNCATED}",
    ]
    if outside := [_outside(leaf, f"value[{at}]") for at, leaf in enumerate(fields) if _is_narrow(leaf)]:
        lines += [f"    if {' or '.join(outside)}:", f'        raise RemoteProtocolError("out_of_range", "{name}")']
    return [*lines, "    return value"]


def _is_narrow(leaf: Leaf) -> bool:
    return leaf.low is not None or leaf.high is not None


def _in_type(fields: list[Leaf]) -> str:
    parts = []
    for leaf in fields:
        low, high = leaf.limits
        if leaf.shape == "int":
            parts.append(f"{low} <= {leaf.name} <= {high}")
        elif low == high:
            parts.append(f"len({leaf.name}) == {low}")
        else:
            parts.append(f"{low} <= len({leaf.name}) <= {high}")
    return " and ".join(parts)


def _outside(leaf: Leaf, what: str) -> str:
    """The test for a value that its bytes can hold and its range leaves out."""
    low, high = leaf.limits
    least, most = leaf._replace(low=None, high=None).limits
    if low > least and high < most:
        return f"not {low} <= {what} <= {high}"
    return f"{what} < {low}" if low > least else f"{what} > {high}"


# Sizes that vary.


class _Run(NamedTuple):
    """Fields of fixed size, read at once, and the one after them whose size the last number of the run tells."""

    fixed: list[Leaf]
    last: Leaf | None

    @property
    def form(self) -> str:
        return ">" + "".join(leaf.code for leaf in [*self.fixed, *([self.last] if self.last else [])])

    @property
    def size(self) -> int:
        return sum(leaf.size for leaf in [*self.fixed, *([self.last] if self.last else [])])


def _runs(fields: list[Leaf]) -> list[_Run]:
    runs, fixed = [], []
    for leaf in fields:
        if leaf.is_fixed:
            fixed.append(leaf)
        else:
            runs.append(_Run(fixed, leaf))
            fixed = []
    return [*runs, _Run(fixed, None)] if fixed else runs


def _variable(name: str, fields: list[Leaf]) -> list[str]:
    lower = _lower(name)
    lines = ["", "", _record(name, fields)]
    if all(leaf.is_fixed for leaf in fields):  # a record in lists, read by the row
        form = ">" + "".join(leaf.code for leaf in fields)
        lines += [f"{_size(name)} = const({sum(leaf.size for leaf in fields)})", f'_{lower}_rows = rows("{form}")']
        return lines + _pack_rows(name, fields, form)
    lines += [f'_{lower}_{at} = reader("{run.form}")' for at, run in enumerate(_runs(fields))]
    lines += _pack_variable(name, fields) + _take_variable(name, fields)
    if name.isupper():
        lines += ["", "", f"def unpack_{lower}(data):", "    try:", f"        value, _ = _take_{lower}(data, 0)"]
        lines += ["    except SHORT:", f"        raise {TRUNCATED}", "    return value"]
    return lines


def _size(name: str) -> str:
    return f"_{_lower(name).upper()}_SIZE"


def _pack_rows(name: str, fields: list[Leaf], form: str) -> list[str]:
    names = ", ".join(leaf.name for leaf in fields) + ("," if len(fields) == 1 else "")
    return [
        "",
        "",
        f"def _put_{_lower(name)}(value):",
        f"    {names} = value",
        f"    if not ({_in_type(fields)}):",
        f'        raise LocalProtocolError("{name} out of range", value)',
        f'    return _pack("{form}", {names.rstrip(",")})',
    ]


def _pack_variable(name: str, fields: list[Leaf]) -> list[str]:
    names = ", ".join(leaf.name for leaf in fields)
    verb = "pack" if name.isupper() else "_put"
    lines = ["", "", f"def {verb}_{_lower(name)}(value):", f"    {names} = value"]
    lines += [f"    {leaf.name} = {leaf.name}.encode()" for leaf in fields if leaf.shape == "text"]
    lines += [f"    if not ({_in_type(fields)}):", f'        raise LocalProtocolError("{name} out of range", value)']
    parts = []
    for run in _runs(fields):
        inside = [leaf.name for leaf in run.fixed] + ([f"len({run.last.name})"] if run.last else [])
        parts.append(f'_pack("{run.form}", {", ".join(inside)})')
        if run.last is not None and run.last.record is not None:
            parts.append(f'b"".join([_put_{_lower(run.last.record.name)}(item) for item in {run.last.name}])')
        elif run.last is not None:
            parts.append(run.last.name)
    return [*lines, f"    return {' + '.join(parts)}"]


def _take_variable(name: str, fields: list[Leaf]) -> list[str]:
    lines = ["", "", f"def _take_{_lower(name)}(data, at):"]
    for at, run in enumerate(_runs(fields)):
        counted = run.fixed + ([run.last._replace(name="n")] if run.last else [])
        names = ", ".join(leaf.name for leaf in counted) + ("," if len(counted) == 1 else "")
        lines += [f"    {names} = _{_lower(name)}_{at}(data, at)", f"    at += {run.size}"]
        if outside := [_outside(leaf, leaf.name) for leaf in counted if _is_narrow(leaf) and leaf.limits != _all(leaf)]:
            lines += [f"    if {' or '.join(outside)}:", f'        raise RemoteProtocolError("out_of_range", "{name}")']
        if run.last is not None:
            lines += _take_last(run.last)
    names = ", ".join(leaf.name for leaf in fields)
    return [*lines, f"    return {class_name(name)}(({names})), at"]


def _all(leaf: Leaf) -> tuple[int, int]:
    return leaf._replace(low=None, high=None).limits


def _take_last(leaf: Leaf) -> list[str]:
    if leaf.record is None:
        read = "utf8(data[at : at + n])" if leaf.shape == "text" else "bytes(data[at : at + n])"
        return [
            "    if at + n > len(data):",
            '        raise RemoteProtocolError("truncated")',
            f"    {leaf.name} = {read}",
            "    at += n",
        ]
    inner, fields = leaf.record.name, list(leaves(leaf.record.layout))
    if not all(field.is_fixed for field in fields):
        return [
            "    found = []",
            "    for _ in range(n):",
            f"        item, at = _take_{_lower(inner)}(data, at)",
            "        found.append(item)",
            f"    {leaf.name} = tuple(found)",
        ]
    lines = [f"    {leaf.name} = _{_lower(inner)}_rows({inner}, data, at, n)", f"    at += n * {_size(inner)}"]
    if outside := [_outside(field, f"item[{at}]") for at, field in enumerate(fields) if _is_narrow(field)]:
        lines += [f"    for item in {leaf.name}:", f"        if {' or '.join(outside)}:"]
        lines += [f'            raise RemoteProtocolError("out_of_range", "{inner}")']
    return lines


# Types.


def types_source(made: str, module: str, frames: tuple[Frame, ...] = FRAMES) -> str:
    """`frames.pyi` or `documents.pyi`: the same, for type checkers (MicroPython has no typing)."""
    lines = [f"# {made}", "# fmt: off", "from collections.abc import Iterable", "from typing import Any, Self", ""]
    if module == "frames":
        names = [
            *(k.name for k in Kind),
            *(f"EVENT_{c.name}" for c in EventCode),
            *(f"REFUSAL_{c.name}" for c in Refusal),
        ]
        lines += [f"{name}: int" for name in [*names, *(f"STATE_{state.name}" for state in State)]]
        lines += ["EVENT_ALARMS: frozenset[int]"]
        bodies = list(fixed_bodies(frames))
    else:
        names = [
            *(f"WINDOW_{w.name}" for w in Window),
            *(f"RULE_{r.name}" for r in Rule),
            *(f"SETTING_{s.name}" for s in Setting),
        ]
        lines += [f"{name}: int" for name in ["DOCUMENT_LIMIT", "PART_LIMIT", *names]] + [
            "SETTING_RANGES: dict[int, tuple[int, int]]",
            "SETTINGS: str",
        ]
        bodies = list(variable_bodies(frames))
    for name, layout in bodies:
        lines += _types_of(name, list(leaves(layout)), fixed=module == "frames")
    return "\n".join(lines) + "\n"


def _types_of(name: str, fields: list[Leaf], *, fixed: bool) -> list[str]:
    shown, types = class_name(name), ", ".join(leaf.type_name for leaf in fields)
    lines = [""] + ([f"{name}_SIZE: int"] if fixed else [])
    lines += [f"class {shown}(tuple[{types}]):", "    _fields: tuple[str, ...]"]
    lines += ["    def __new__(cls, values: Iterable[Any], /) -> Self: ..."]
    lines += ["    def _asdict(self) -> dict[str, Any]: ...", "    def _replace(self, **changes: Any) -> Self: ..."]
    for leaf in fields:
        lines += ["    @property", f"    def {leaf.name}(self) -> {leaf.type_name}: ..."]
    if name.isupper():
        given = "Any" if not all(leaf.is_fixed for leaf in fields) else f"{shown} | tuple[{types}]"
        lines += [
            f"def pack_{_lower(name)}(value: {given}) -> bytes: ...",
            f"def unpack_{_lower(name)}(data: bytes) -> {shown}: ...",
        ]
    return lines
