# Whose mistake it was: our caller's or the peer's.


class LocalProtocolError(Exception):
    # Our caller asked for something that the protocol does not allow.
    pass


class RemoteProtocolError(Exception):
    # The peer sent something that the protocol does not allow. `reason` is a short fixed word, fit for a counter.
    def __init__(self, reason, detail=""):
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail
