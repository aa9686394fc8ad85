# What the centre wants of the tag: opened, unpacked, and handed to whoever obeys it. A newer centre may want what nobody here knows.
from strapline_tag.commands import Commands
from strapline_wire import frames
from strapline_wire.errors import RemoteProtocolError

_REFUSALS = {"out_of_range": frames.REFUSAL_OUT_OF_RANGE, "too_long": frames.REFUSAL_TOO_LONG}


class Orders:
    # table: kind -> (unpack, obey), where obey(now, record) gives a refusal reason, or 0 or None.
    def __init__(self, keys, memory, document_limit: int, table, tell):
        self._commands = Commands(keys, memory, document_limit)
        self._table = table
        self._tell = tell
        self.refused = 0  # commands that were not genuine or not new

    def take(self, now: int, sealed: bytes) -> None:
        try:
            envelope, body = self._commands.open(sealed)
        except RemoteProtocolError:
            self.refused += 1
            return
        kind = envelope.kind
        refusal = 0
        try:
            whole = self._commands.assemble(kind, body)
            if whole:
                kind, body = whole
                refusal = self._obey(now, kind, body)
        except RemoteProtocolError as error:
            refusal = _REFUSALS.get(error.reason, frames.REFUSAL_MALFORMED)
        if refusal:
            self._tell(frames.EVENT_COMMAND_REFUSED, now, kind << 8 | refusal)

    def _obey(self, now: int, kind: int, body: bytes) -> "int | None":
        if kind not in self._table:
            return frames.REFUSAL_UNKNOWN_KIND
        unpack, obey = self._table[kind]
        return obey(now, unpack(body))
