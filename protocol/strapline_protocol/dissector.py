"""The Wireshark dissector in Lua, rendered from the definitions: headers of every frame, and bodies where a trace carries them opened.

It registers for the link types of our traces: USER0 (air), USER1 (cellular) and USER6 (serial) hold frames, USER4 MQTT publications,
USER3 the truth in JSON, and USER5 opened bodies (one byte of kind, then the body in clear). It holds no key and opens nothing itself.
"""

from collections.abc import Iterator
from enum import IntEnum
from typing import Any

from strapline_protocol.codes import EventCode, Kind, Refusal, Rule, Setting, State, Window
from strapline_protocol.definitions import ENVELOPE, FRAMES, HEADER
from strapline_protocol.layout import Leaf, leaves, records_of

_HEAD = """\
-- {made}
-- Use: wireshark -X lua_script:strapline.lua trace.pcapng, or copy it into Wireshark's personal Lua plugins folder.

local strapline = Proto("strapline", "Strapline electronic monitoring")
local opened = Proto("strapline_opened", "Strapline, opened body")
local mqtt = Proto("strapline_mqtt", "Strapline MQTT publication")
local truth = Proto("strapline_truth", "Strapline ground truth")
local NAMES = {{
{names}
}}
local KINDS = NAMES.kind
local f = {{}}
"""

_OWN_FIELDS = """\
f.version = ProtoField.uint8("strapline.version", "Version", base.DEC, nil, 0xC0)
f.kind = ProtoField.uint8("strapline.kind", "Kind", base.HEX, KINDS, 0x3F)
f.sealed = ProtoField.bytes("strapline.sealed", "Sealed body")
f.mic = ProtoField.bytes("strapline.mic", "MIC")
f.mac = ProtoField.bytes("strapline.mac", "HMAC")
f.opened_kind = ProtoField.uint8("strapline.opened_kind", "Kind", base.HEX, KINDS)
f.trailing = ProtoField.bytes("strapline.trailing", "Trailing bytes of a later version")
f.topic = ProtoField.string("strapline.topic", "Topic")
"""

_CODE = """\
local BODIES = {{}}
local TAKE = {{}}
{bodies}
local function body_of(kind, range, tree)
  local parse = BODIES[kind]
  if parse then parse(range, tree) else tree:add(f.sealed, range) end
end

function strapline.dissector(buffer, pinfo, root)
  pinfo.cols.protocol = "Strapline"
  local tree = root:add(strapline, buffer())
  if buffer:len() < 1 then return end
  local kind = bit32 and bit32.band(buffer(0, 1):uint(), 0x3F) or buffer(0, 1):uint() % 64
  tree:add(f.version, buffer(0, 1))
  tree:add(f.kind, buffer(0, 1))
  pinfo.cols.info = KINDS[kind] or string.format("unknown kind 0x%02x", kind)
  if buffer:len() < 5 then
    tree:add_expert_info(PI_MALFORMED, PI_ERROR, "Truncated header")
    return
  end
  tree:add(f.header_pseudonym, buffer(1, 4))
  local clear = {{ {clear} }}
  if clear[kind] then
    if buffer:len() < 5 + clear[kind] + 8 then
      tree:add_expert_info(PI_MALFORMED, PI_ERROR, "Truncated body")
      return
    end
    body_of(kind, buffer(5, buffer:len() - 13), tree)
    tree:add(f.mac, buffer(buffer:len() - 8, 8))
    return
  end
  if buffer:len() < {overhead} then
    tree:add_expert_info(PI_MALFORMED, PI_ERROR, "Truncated frame")
    return
  end
  tree:add(f.header_masked_counter, buffer(5, 4))
  if buffer:len() > {overhead} then tree:add(f.sealed, buffer(9, buffer:len() - {overhead})) end
  tree:add(f.mic, buffer(buffer:len() - 8, 8))
end

function opened.dissector(buffer, pinfo, root)
  pinfo.cols.protocol = "Strapline"
  local tree = root:add(opened, buffer())
  if buffer:len() < 1 then return end
  local kind = buffer(0, 1):uint()
  tree:add(f.opened_kind, buffer(0, 1))
  pinfo.cols.info = (KINDS[kind] or string.format("unknown kind 0x%02x", kind)) .. " (opened)"
  if buffer:len() > 1 then body_of(kind, buffer(1), tree) end
end

function mqtt.dissector(buffer, pinfo, root)
  pinfo.cols.protocol = "Strapline"
  local tree = root:add(mqtt, buffer())
  local size = 0
  while size < buffer:len() and buffer(size, 1):uint() ~= 0 do size = size + 1 end
  if size > 0 then
    tree:add(f.topic, buffer(0, size))
    pinfo.cols.info = buffer(0, size):string()
  end
  if size + 1 < buffer:len() then Dissector.get("json"):call(buffer(size + 1):tvb(), pinfo, root) end
end

function truth.dissector(buffer, pinfo, root)
  root:add(truth, buffer())
  Dissector.get("json"):call(buffer():tvb(), pinfo, root)
  pinfo.cols.protocol = "Strapline"
  pinfo.cols.info = "truth: " .. buffer():string()
end

local link_types = DissectorTable.get("wtap_encap")
link_types:add(wtap.USER0, strapline)
link_types:add(wtap.USER1, strapline)
link_types:add(wtap.USER3, truth)
link_types:add(wtap.USER4, mqtt)
link_types:add(wtap.USER5, opened)
link_types:add(wtap.USER6, strapline)
"""

_CLEAR = (Kind.HELLO, Kind.WELCOME)


_NAMED: dict[type[IntEnum], str] = {
    Kind: "kind",
    EventCode: "event",
    Refusal: "refusal",
    Rule: "rule",
    Setting: "setting",
    Window: "window",
}


def dissector_source(made: str) -> str:
    """The Lua file."""
    lines = [_HEAD.format(made=made, names="\n".join(_names(codes) for codes in _NAMED)) + _OWN_FIELDS.rstrip()]
    for prefix, layout in _layouts():
        lines += [_field(prefix, leaf) for leaf in leaves(layout) if leaf.record is None]
    lines += [_state(state) for state in State]
    lines.append("strapline.fields = f\n")
    sizes = {frame.kind: sum(leaf.size for leaf in leaves(frame.layout)) for frame in FRAMES}
    lines.append(
        _CODE.format(
            bodies="\n".join(
                [
                    _take(prefix, list(leaves(layout)))
                    for prefix, layout in _layouts()
                    if prefix not in ("header", "envelope")
                ]
                + [_body(f.kind) for f in FRAMES]
            ),
            clear=", ".join(f"[{kind.value}] = {sizes[kind]}" for kind in _CLEAR),
            overhead=sum(leaf.size for leaf in leaves(HEADER)) + 8,
        )
    )
    return "\n".join(lines)


def field_name(prefix: str, leaf: Leaf) -> str:
    """The display filter of a field, such as `strapline.event.code`; `prefix` is its frame's or its record's name in lower case."""
    return f"strapline.{prefix}.{leaf.name}"


def _layouts() -> Iterator[tuple[str, Any]]:
    """Everything that has fields, the records inside lists before what holds them."""
    yield "header", HEADER
    yield "envelope", ENVELOPE
    for frame in FRAMES:
        yield from ((record.name.lower(), record.layout) for record in records_of(frame.layout))
        yield frame.kind.name.lower(), frame.layout


def _names(codes: type[IntEnum]) -> str:
    told = ", ".join(f"[{c.value}] = {_lua(c.name if codes is Kind else c.name.lower())}" for c in codes)
    return f"  {_NAMED[codes]} = {{ {told} }},"


def _field(prefix: str, leaf: Leaf) -> str:
    label = leaf.name.replace("_", " ") + (f" ({leaf.unit})" if leaf.shape == "int" and leaf.unit else "")
    name = _lua(field_name(prefix, leaf))
    if leaf.shape != "int":
        return f"f.{prefix}_{leaf.name} = ProtoField.{'string' if leaf.shape == 'text' else 'bytes'}({name}, {_lua(label)})"
    kind = ("int" if leaf.code.islower() else "uint") + str(leaf.size * 8)
    values = f", NAMES.{_NAMED[leaf.names]}" if leaf.names else ""
    return f"f.{prefix}_{leaf.name} = ProtoField.{kind}({name}, {_lua(label)}, base.DEC{values})"


def _state(state: State) -> str:
    name = (state.name or "").lower()
    return f'f.state_{name} = ProtoField.bool("strapline.state.{name}", {_lua(name.replace("_", " "))}, 16, nil, 0x{state.value:04X})'


def _take(prefix: str, fields: list[Leaf]) -> str:
    """A function that shows the fields from `at` on and gives where they end, or nil where the bytes are too few."""
    lines = [f"TAKE.{prefix} = function(range, at, tree)"]
    for leaf in fields:
        lines += [f"  if range:len() < at + {leaf.size} then return nil end"]
        if leaf.is_fixed:
            lines.append(f"  tree:add(f.{prefix}_{leaf.name}, range(at, {leaf.size}))")
        else:
            lines.append(f"  local {leaf.name} = range(at, {leaf.size}):uint()")
        if (prefix, leaf.name) == ("heartbeat", "flags"):
            lines += [f"  tree:add(f.state_{(state.name or '').lower()}, range(at, 2))" for state in State]
        lines.append(f"  at = at + {leaf.size}")
        lines += _take_counted(prefix, leaf) if not leaf.is_fixed else []
    return "\n".join([*lines, "  return at", "end"])


def _take_counted(prefix: str, leaf: Leaf) -> list[str]:
    if leaf.record is not None:
        return [
            f"  for i = 1, {leaf.name} do",
            f'    local entry = tree:add(strapline, range(), "{leaf.record.name} " .. i)',
            f"    at = TAKE.{leaf.record.name.lower()}(range, at, entry)",
            "    if not at then return nil end",
            "  end",
        ]
    value = f", range(at, {leaf.name}):string(ENC_UTF_8)" if leaf.shape == "text" else ""
    return [
        f"  if range:len() < at + {leaf.name} then return nil end",
        f"  if {leaf.name} > 0 then tree:add(f.{prefix}_{leaf.name}, range(at, {leaf.name}){value}) end",
        f"  at = at + {leaf.name}",
    ]


def _body(kind: Kind) -> str:
    return f"""\
BODIES[{kind.value}] = function(range, tree)
  local at = TAKE.{kind.name.lower()}(range, 0, tree)
  if not at then
    tree:add_expert_info(PI_MALFORMED, PI_ERROR, "Truncated body")
  elseif at < range:len() then
    tree:add(f.trailing, range(at))
  end
end"""


def _lua(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
