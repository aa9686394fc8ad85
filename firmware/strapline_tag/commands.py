# What the centre sealed for this tag: opened, and let through once. What a command does is the tag's.
from strapline_wire import frames, seal
from strapline_wire.errors import RemoteProtocolError
from strapline_wire.replay import ReplayWindow


class Commands:
    # memory: integers that survive a reboot.
    def __init__(self, cipher, memory):
        self._cipher = cipher
        self._memory = memory
        self._window = ReplayWindow()

    def open(self, sealed: bytes) -> tuple:
        # (envelope, body); what is forged, replayed or of an earlier epoch raises RemoteProtocolError and changes nothing.
        envelope, body = seal.open_envelope(sealed, self._cipher, seal.DOWN)
        # The centre's epoch only rises; within one, each number counts once.
        epoch = self._memory.get("epoch", 0)
        if envelope.origin < epoch:
            raise RemoteProtocolError("old_epoch")
        if envelope.origin > epoch:
            self._memory.put("epoch", envelope.origin)
            self._window = ReplayWindow()
        if envelope.kind == frames.ARM:
            # An electronic key is presented long after it was made, behind any number of receipts, and once used it stays used, over a
            # reboot as well: ARM rises on its own, in the epoch of the last one that was used. After a power cut between the two writes
            # neither is an old ARM let in again nor a new one kept out.
            used_in = self._memory.get("arm_epoch", 0)
            if envelope.origin == used_in and envelope.number <= self._memory.get("arm", 0):
                raise RemoteProtocolError("replayed")
            self._memory.put("arm", envelope.number)
            if envelope.origin != used_in:
                self._memory.put("arm_epoch", envelope.origin)
        else:
            self._window.check(envelope.number)
            self._window.accept(envelope.number)
        return envelope, body
