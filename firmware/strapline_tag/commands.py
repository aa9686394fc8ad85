# Commands from the centre: opened, taken once, put together where they came in parts. What they mean is the tag's business.
from strapline_wire import documents, frames, seal
from strapline_wire.errors import RemoteProtocolError
from strapline_wire.parts import Assembly
from strapline_wire.replay import ReplayWindow


class Commands:
    # memory: integers that survive a reboot; document_limit: bytes that a body in parts may have.
    def __init__(self, keys, memory, document_limit: int):
        self._keys = keys
        self._memory = memory
        self._window = ReplayWindow()
        self._assembly = Assembly(document_limit)
        self._order = memory.get("order", 0)  # epoch << 32 | number of the last one that a replay would make work twice

    def assemble(self, kind: int, body: bytes) -> "tuple | None":
        # (kind, body) of what has come whole; None while parts are missing. A part that fits nothing raises RemoteProtocolError.
        return (kind, body) if kind != frames.PART else self._assembly.add(documents.unpack_part(body))

    def open(self, sealed: bytes) -> tuple:
        # (envelope, body); what is forged, replayed or of an earlier epoch raises RemoteProtocolError and changes nothing.
        envelope, body = seal.open_envelope(sealed, self._keys.end_to_end, seal.DOWN)
        # The centre's epoch only rises; within one, each number counts once.
        epoch = self._memory.get("epoch", 0)
        if envelope.origin < epoch:
            raise RemoteProtocolError("old_epoch")
        if envelope.origin > epoch:
            self._memory.put("epoch", envelope.origin)
            self._window = ReplayWindow()
            self._assembly.drop()  # the numbers by which parts belong together are those of one epoch
        if envelope.kind == frames.ARM or envelope.kind == frames.DISARM:
            # An electronic key is presented long after it was made, behind any number of receipts, and once used it stays used, over a
            # reboot as well: they rise on their own, in the epoch of the last one that was used. After a power cut between the two writes
            # neither is an old one let in again nor a new one kept out.
            used_in = self._memory.get("arm_epoch", 0)
            if envelope.origin == used_in and envelope.number <= self._memory.get("arm", 0):
                raise RemoteProtocolError("replayed")
            self._memory.put("arm", envelope.number)
            if envelope.origin != used_in:
                self._memory.put("arm_epoch", envelope.origin)
        else:
            self._window.check(envelope.number)
            # After a reboot the window has seen nothing. A document has its revision and TIME its question; what has neither is kept out
            # by the last one that was taken before.
            if envelope.kind in (frames.MESSAGE, frames.LOCATE, frames.UPDATE_BEGIN):
                order = envelope.origin << 32 | envelope.number
                if order <= self._order:
                    raise RemoteProtocolError("replayed")
                if order > self._memory.get("order", 0):
                    self._memory.put("order", order)
            self._window.accept(envelope.number)
        return envelope, body
