# What the centre has set: checked as a whole, kept, and set again at each start. The rest stays as the configuration has it.
from struct import pack, unpack_from

from strapline_wire import documents, frames
from strapline_wire.compat import SHORT
from strapline_wire.errors import RemoteProtocolError


def _read(document: bytes) -> tuple:
    # (where the settings begin, number -> value)
    try:
        at = 5 + 4 * document[4]
        rows = [unpack_from(">Hl", document, at + 1 + 6 * i) for i in range(document[at])]
    except (IndexError, SHORT):
        raise RemoteProtocolError("truncated") from None
    if document[4] > 8 or len(rows) > 64:
        raise RemoteProtocolError("out_of_range")
    return at, dict(rows)


def _known(values) -> list:
    # (name, value) of those that this firmware knows and that lie in its ranges.
    words = documents.SETTINGS.split()
    found = []
    for at in range(0, len(words), 4):
        value = values.get(int(words[at]))
        if value is not None and int(words[at + 2]) <= value <= int(words[at + 3]):
            found.append((words[at + 1], value))
    return found


def resume(config, memory) -> None:
    # Other firmware may know fewer settings, or narrower ones: what does not fit stays as it was built.
    held = memory.read("config")
    if held:
        at, values = _read(held)
        for name, value in _known(values):
            config.put(name, value)
        config.homes = [unpack_from(">L", held, i)[0] for i in range(5, at, 4)]


def obey(config, memory, document: bytes, now: int, tell) -> int:
    at, new = _read(document)
    held = memory.read("config")
    values = _read(held)[1] if held else {}
    values.update(new)
    if len(_known(new)) < len(new) or (
        values.get(documents.SETTING_HEARTBEAT_SHORTEST_MS, config.heartbeat_shortest_ms)
        > values.get(documents.SETTING_HEARTBEAT_LONGEST_MS, config.heartbeat_longest_ms)
    ):
        return frames.REFUSAL_OUT_OF_RANGE
    whole = document[:at] + bytes((len(values),)) + b"".join([pack(">Hl", n, values[n]) for n in sorted(values)])
    if whole != held and document[:4] <= held[:4]:
        return frames.REFUSAL_OLD_REVISION
    memory.write("config", whole)  # first: all of them outlive a power cut, or none
    resume(config, memory)
    tell(frames.EVENT_APPLIED, now, frames.CONFIG << 24 | int.from_bytes(document[1:4], "big"))
    return 0
