"""What a tag says of itself in each heartbeat: opened with the base station's keys, and with none but those that it was given."""

from strapline_protocol.cipher import HostCipher
from strapline_protocol.keys import GatewayKeys
from strapline_wire import frames, seal
from strapline_wire.errors import RemoteProtocolError
from strapline_wire.replay import ReplayWindow


class HeardState:
    """Of one tag."""

    def __init__(self, keys: GatewayKeys) -> None:
        self._ciphers = HostCipher(keys.broadcast), HostCipher(keys.header)
        self.flags: int | None = None
        """Of the last heartbeat; None: none was heard yet."""

    def hear(self, frame: bytes) -> None:
        """A frame out of the air, whoever's it is."""
        try:
            _, body = seal.open_frame(frame, *self._ciphers, seal.UP, ReplayWindow())
            self.flags = frames.unpack_heartbeat(body).flags
        except RemoteProtocolError:
            return

    @property
    def is_heard(self) -> bool:
        return self.flags is not None

    @property
    def is_armed(self) -> bool:
        return bool((self.flags or 0) & frames.STATE_ARMED)
