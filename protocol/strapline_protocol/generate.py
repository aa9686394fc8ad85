"""Everything that is made from the definitions: the codec of both ends with its types, the golden vectors, the docs' tables, the rest.

`python -m strapline_protocol.generate` writes the files into the checkout; with `--check` it writes nothing and fails where one
has drifted.
"""

import json
import random
import sys
from collections.abc import Iterable, Iterator
from enum import IntEnum
from pathlib import Path
from typing import Any

from strapline_protocol.asyncapi import asyncapi_source
from strapline_protocol.codec import documents_source, frames_source, types_source
from strapline_protocol.codes import MEANINGS, RANGES, Refusal, Rule, State, Window
from strapline_protocol.definitions import ENVELOPE, FRAMES, HEADER
from strapline_protocol.dissector import dissector_source
from strapline_protocol.layout import Leaf, leaves, records_of

CONTRACT_VERSION = "1.0.0"
MADE = "Made by strapline_protocol.generate from strapline_protocol.definitions; edit those, then run `make generate`."


def _bodies() -> Iterator[tuple[str, Any]]:
    yield "HEADER", HEADER
    yield "ENVELOPE", ENVELOPE
    for frame in FRAMES:
        yield frame.kind.name, frame.layout


def vectors_source() -> str:
    """`tests/vectors/frames.json`: values at the limits and in between, with the bytes that construct builds for them."""
    draw = random.Random("strapline frame vectors")
    vectors = []
    for name, layout in _bodies():
        for case in ("lowest", "highest", "random", "random", "random"):
            values = {leaf.name: _value(leaf, case, draw) for leaf in leaves(layout)}
            vectors.append({"frame": name, "case": case, "values": shown(values), "bytes": layout.build(values).hex()})
    return json.dumps({"made": MADE, "vectors": vectors}, indent=1) + "\n"


def shown(value: Any) -> Any:
    """A value as the vectors write it: bytes in hexadecimal digits."""
    if isinstance(value, dict):
        return {name: shown(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [shown(inner) for inner in value]
    return value.hex() if isinstance(value, bytes) else value


_LETTERS = "aZ09 éßñ漢🙂"


def _value(leaf: Leaf, case: str, draw: random.Random, *, inside: bool = False) -> Any:
    low, high = leaf.limits
    if leaf.shape == "int":
        return {"lowest": low, "highest": high}.get(case, draw.randint(low, high))
    if case == "lowest" or (inside and case == "highest"):
        size = low  # all lists inside a list at their longest would be longer than any document may be
    else:
        size = high if case == "highest" else draw.randint(low, max(low, min(high, 20)))
    if leaf.record is not None:
        fields = list(leaves(leaf.record.layout))
        return [{field.name: _value(field, case, draw, inside=True) for field in fields} for _ in range(size)]
    if leaf.shape == "text":
        return _text("Z" * size if case == "highest" else "".join(draw.choices(_LETTERS, k=size)), size)
    return {"lowest": bytes(size), "highest": b"\xff" * size}.get(case) or draw.randbytes(size)


def _text(text: str, limit: int) -> str:
    """As much of it as fits into so many bytes of UTF-8."""
    return text.encode()[:limit].decode(errors="ignore")


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
        for record in records_of(frame.layout):
            lines += [f"Each `{record.name}`:", "", *_table(record.layout)]
    lines += [
        "## Event codes",
        "",
        "| code | name | alarm | meaning | detail | requirements |",
        "|---|---|---|---|---|---|",
    ]
    for code, meaning in MEANINGS.items():
        alarm, rows = "yes" if meaning.alarm else "", ", ".join(meaning.rows)
        lines.append(f"| {code.value} | `{code.name.lower()}` | {alarm} | {meaning.text} | {meaning.detail} | {rows} |")
    lines += ["", "## State flags", "", "| bit | name |", "|---|---|"]
    lines += [f"| {state.value.bit_length() - 1} | `{(state.name or '').lower()}` |" for state in State]
    lines += ["", "## Settings", "", "| number | name | unit | range | source |", "|---|---|---|---|---|"]
    for setting, told in RANGES.items():
        lines.append(
            f"| {setting.value} | `{setting.name.lower()}` | {told.unit} | {told.low} … {told.high} | {told.source} |"
        )
    lines += [*_names("Windows", Window), *_names("Rules", Rule), *_names("Refusals", Refusal)]
    return "\n".join(lines) + "\n"


def _names(title: str, codes: Iterable[IntEnum]) -> list[str]:
    return [
        "",
        f"## {title}",
        "",
        "| number | name |",
        "|---|---|",
        *(f"| {c.value} | `{c.name.lower()}` |" for c in codes),
    ]


def _table(layout: Any) -> list[str]:
    """Offsets end where the first field comes whose size varies."""
    rows = ["| offset | size | field | unit | range | meaning |", "|---|---|---|---|---|---|"]
    offset: int | None = 0
    for leaf in leaves(layout):
        where, size, span = "" if offset is None else str(offset), str(leaf.size), "{} … {}".format(*leaf.limits)
        if not leaf.is_fixed:
            offset, size = None, f"{leaf.size} + n"
            span += " entries" if leaf.record else " bytes"
        elif offset is not None:
            offset += leaf.size
        span = "" if leaf.shape == "bytes" else span
        doc = f"{leaf.doc}; each a `{leaf.record.name}`" if leaf.record else leaf.doc
        rows.append(
            f"| {where} | {size} | `{leaf.name}` | {'' if leaf.unit == 'bytes' else leaf.unit} | {span} | {doc} |"
        )
    return [*rows, ""]


def outputs(checkout: Path) -> dict[Path, str]:
    """Every generated file of a checkout and what it must hold."""
    return {
        checkout / "protocol/strapline_wire/frames.py": frames_source(MADE, FRAMES),
        checkout / "protocol/strapline_wire/frames.pyi": types_source(MADE, "frames", FRAMES),
        checkout / "protocol/strapline_wire/documents.py": documents_source(MADE, FRAMES),
        checkout / "protocol/strapline_wire/documents.pyi": types_source(MADE, "documents", FRAMES),
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
