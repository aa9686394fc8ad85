"""Everything that is made from the definitions: the codec of both ends with its types, the golden vectors, the docs' tables.

`python -m strapline_protocol.generate` writes the files into the checkout; with `--check` it writes nothing and fails where one
has drifted.
"""

import json
import random
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from strapline_protocol.asyncapi import asyncapi_source
from strapline_protocol.definitions import ALARMS, ENVELOPE, FRAMES, HEADER, EventCode, Kind, Leaf, State, leaves
from strapline_protocol.dissector import dissector_source

CONTRACT_VERSION = "1.0.0"
MADE = "Made by strapline_protocol.generate from strapline_protocol.definitions; edit those, then run `make generate`."


def _bodies() -> Iterator[tuple[str, Any]]:
    yield "HEADER", HEADER
    yield "ENVELOPE", ENVELOPE
    for frame in FRAMES:
        yield frame.kind.name, frame.layout


def _class_name(name: str) -> str:
    return name.title().replace("_", "")


def codec_source() -> str:
    """`strapline_wire/frames.py`: constants, records, `pack_…` and `unpack_…`, on `struct` alone."""
    lines = [
        f"# {MADE}",
        "# fmt: off",
        "from collections import namedtuple",
        "from struct import pack as _pack",
        "from struct import unpack_from as _unpack",
        "",
    ]
    lines += [
        "from strapline_wire.compat import const",
        "from strapline_wire.errors import LocalProtocolError, RemoteProtocolError",
        "",
    ]
    lines += [f"{kind.name} = const(0x{kind.value:02X})" for kind in Kind]
    lines += [""] + [f"EVENT_{code.name} = const({code.value})" for code in EventCode]
    lines += [f"EVENT_ALARMS = ({', '.join(str(int(code)) for code in sorted(ALARMS))},)"]
    lines += [""] + [f"STATE_{state.name} = const(0x{state.value:04X})" for state in State]
    for name, layout in _bodies():
        lines += ["", "", *_codec_of(name, list(leaves(layout)))]
    return "\n".join(lines) + "\n"


def _codec_of(name: str, fields: list[Leaf]) -> list[str]:
    lower, record = name.lower(), _class_name(name)
    form = ">" + "".join(leaf.code for leaf in fields)
    size = sum(leaf.size for leaf in fields)
    names = ", ".join(leaf.name for leaf in fields)
    tail = "," if len(fields) == 1 else ""
    lines = [
        f"{name}_SIZE = const({size})",
        f"{record} = namedtuple({record!r}, ({', '.join(repr(leaf.name) for leaf in fields)}{tail}))",
        "",
        "",
    ]
    lines += [
        f"def pack_{lower}(value):",
        f"    {names}{tail} = value",
        f"    if not ({_in_type(fields)}):",
        f'        raise LocalProtocolError("{name} out of range", value)',
    ]
    lines += [f'    return _pack("{form}", {names})', "", ""]
    lines += [
        f"def unpack_{lower}(data):",
        f"    if len(data) < {size}:",
        '        raise RemoteProtocolError("truncated")',
        f'    {names}{tail} = _unpack("{form}", data)',
    ]
    if narrow := [leaf for leaf in fields if leaf.low is not None or leaf.high is not None]:
        lines += [f"    if not ({_in_type(narrow)}):", f'        raise RemoteProtocolError("out_of_range", "{name}")']
    return [*lines, f"    return {record}({names})"]


def _in_type(fields: list[Leaf]) -> str:
    parts = []
    for leaf in fields:
        if leaf.type_name == "bytes":
            parts.append(f"len({leaf.name}) == {leaf.size}")
        else:
            low, high = leaf.limits
            parts.append(f"{low} <= {leaf.name} <= {high}")
    return " and ".join(parts)


def types_source() -> str:
    """`strapline_wire/frames.pyi`: the same, for type checkers (MicroPython has no typing)."""
    lines = [f"# {MADE}", "# fmt: off", "from typing import NamedTuple", ""]
    lines += [f"{kind.name}: int" for kind in Kind]
    lines += [f"EVENT_{code.name}: int" for code in EventCode] + ["EVENT_ALARMS: tuple[int, ...]"]
    lines += [f"STATE_{state.name}: int" for state in State]
    for name, layout in _bodies():
        fields = list(leaves(layout))
        record = _class_name(name)
        types = ", ".join(leaf.type_name for leaf in fields)
        lines += ["", f"{name}_SIZE: int", f"class {record}(NamedTuple):"]
        lines += [f"    {leaf.name}: {leaf.type_name}" for leaf in fields]
        lines += [
            f"def pack_{name.lower()}(value: {record} | tuple[{types}]) -> bytes: ...",
            f"def unpack_{name.lower()}(data: bytes) -> {record}: ...",
        ]
    return "\n".join(lines) + "\n"


def vectors_source() -> str:
    """`tests/vectors/frames.json`: values at the limits and in between, with the bytes that construct builds for them."""
    draw = random.Random("strapline frame vectors")
    vectors = []
    for name, layout in _bodies():
        fields = list(leaves(layout))
        for case in ("lowest", "highest", "random", "random", "random"):
            values = {leaf.name: _value(leaf, case, draw) for leaf in fields}
            shown = {key: value.hex() if isinstance(value, bytes) else value for key, value in values.items()}
            vectors.append({"frame": name, "case": case, "values": shown, "bytes": layout.build(values).hex()})
    return json.dumps({"made": MADE, "vectors": vectors}, indent=1) + "\n"


def _value(leaf: Leaf, case: str, draw: random.Random) -> int | bytes:
    if leaf.type_name == "bytes":
        return {"lowest": bytes(leaf.size), "highest": b"\xff" * leaf.size}.get(case) or draw.randbytes(leaf.size)
    low, high = leaf.limits
    return {"lowest": low, "highest": high}.get(case, draw.randint(low, high))


def docs_source() -> str:
    """`docs/protocol-frames.md`: a table for each frame."""
    lines = [f"<!-- {MADE} -->", "# Frames", "", "All integers are big-endian. Offsets and sizes are in bytes.", ""]
    lines += ["## Header", "", "Before every sealed body; an 8-byte MIC follows the body.", "", *_table(HEADER)]
    lines += [
        "## Envelope",
        "",
        "Inside RECORD and COMMAND: what is sealed end to end starts with it, readable for the gateway; an 8-byte MIC ends it.",
        "",
        *_table(ENVELOPE),
    ]
    for frame in FRAMES:
        lines += [
            f"## {frame.kind.name} (0x{frame.kind.value:02x})",
            "",
            f"{frame.doc} Sent by the {frame.sender}; key: {frame.sealed_with}.",
            "",
            *_table(frame.layout),
        ]
    lines += ["## Event codes", "", "| code | name | alarm |", "|---|---|---|"]
    lines += [f"| {code.value} | `{code.name.lower()}` | {'yes' if code in ALARMS else ''} |" for code in EventCode]
    lines += ["", "## State flags", "", "| bit | name |", "|---|---|"]
    lines += [f"| {state.value.bit_length() - 1} | `{(state.name or '').lower()}` |" for state in State]
    return "\n".join(lines) + "\n"


def _table(layout: Any) -> list[str]:
    rows = ["| offset | size | field | unit | range | meaning |", "|---|---|---|---|---|---|"]
    offset = 0
    for leaf in leaves(layout):
        span = "" if leaf.type_name == "bytes" else "{} … {}".format(*leaf.limits)
        rows.append(f"| {offset} | {leaf.size} | `{leaf.name}` | {leaf.unit} | {span} | {leaf.doc} |")
        offset += leaf.size
    return [*rows, ""]


def outputs(checkout: Path) -> dict[Path, str]:
    """Every generated file of a checkout and what it must hold."""
    return {
        checkout / "protocol/strapline_wire/frames.py": codec_source(),
        checkout / "protocol/strapline_wire/frames.pyi": types_source(),
        checkout / "tests/vectors/frames.json": vectors_source(),
        checkout / "docs/protocol-frames.md": docs_source(),
        checkout / "docs/strapline.lua": dissector_source(MADE),
        checkout / "docs/asyncapi.json": asyncapi_source(CONTRACT_VERSION),
    }


def main(arguments: list[str]) -> int:
    """Write the generated files, or with `--check` say which have drifted; gives the exit code."""
    checkout = Path(__file__).resolve().parents[2]
    drifted = [
        path
        for path, text in outputs(checkout).items()
        if not path.exists() or path.read_text(encoding="utf-8") != text
    ]
    if "--check" in arguments:
        for path in drifted:
            print(
                f"{path.relative_to(checkout)} is not what the definitions give: run `make generate`", file=sys.stderr
            )
        return 1 if drifted else 0
    for path in drifted:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(outputs(checkout)[path], encoding="utf-8")
        print(f"wrote {path.relative_to(checkout)}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
