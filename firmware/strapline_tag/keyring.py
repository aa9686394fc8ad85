# The tag's keys: those of its secret, until the centre has given it new ones.
from strapline_wire.compat import const
from strapline_wire.keys import KEY_SIZE, derive, renew

_KEY_BITS = const(128)


class Keyring:
    # memory: integers that survive a reboot, of any size. New keys are one of them, so that a power cut leaves the old ones or the new.
    def __init__(self, secret: bytes, memory, make_cipher):
        self._memory = memory
        self._make_cipher = make_cipher
        kept = memory.get("keys", 0)
        if kept:
            end_to_end = (kept & ((1 << _KEY_BITS) - 1)).to_bytes(KEY_SIZE, "big")
            shared = ((kept >> _KEY_BITS) & ((1 << _KEY_BITS) - 1)).to_bytes(KEY_SIZE, "big")
            self._use(kept >> 2 * _KEY_BITS, shared, end_to_end)
        else:
            self._use(0, secret, derive(secret, "end-to-end"))

    def _use(self, generation: int, shared: bytes, end_to_end: bytes) -> None:
        # shared: what the three keys follow from that gateways have too
        self.generation = generation
        self.link_key = derive(shared, "link")
        self.header = self._make_cipher(derive(shared, "header"))
        self.broadcast = self._make_cipher(derive(shared, "broadcast"))
        self.end_to_end = self._make_cipher(end_to_end)
        self._end_to_end_key = end_to_end

    def renew(self, rekey) -> bool:
        # False where it is not the next generation: a REKEY that comes again changes nothing.
        if rekey.generation != self.generation + 1:
            return False
        shared, end_to_end = renew(self._end_to_end_key, rekey.salt, rekey.generation)
        kept = rekey.generation << 2 * _KEY_BITS
        kept |= int.from_bytes(shared, "big") << _KEY_BITS | int.from_bytes(end_to_end, "big")
        self._memory.put("keys", kept)  # first: what a worn-out flash refuses is not used
        self._use(rekey.generation, shared, end_to_end)
        return True
