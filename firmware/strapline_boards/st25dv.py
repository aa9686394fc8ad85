# ST25DV04K, an NFC tag with an I2C side, ST DS10925: section 5.1 for the mailbox, table 13 for the dynamic registers. The electronic
# key is an NFC reader that puts a sealed command into the mailbox; what it says is trusted for its seal alone.
from strapline_wire.compat import const

_ADDRESS = const(0x53)
_MB_CTRL = const(0x2006)  # and MB_LEN, which is the message's length less one
_MAILBOX = const(0x2008)
_RF_PUT_MSG = const(4)


class KeyMailbox:
    # MB_MODE (a static register behind a password) is set once when the board is made. Calls raise OSError where the chip is silent:
    # it also does not answer on I2C while the field is served.
    def __init__(self, i2c):
        self._i2c = i2c

    def start(self) -> None:
        # What lies there is dropped: a mailbox that is full takes nothing.
        self._i2c.writeto_mem(_ADDRESS, _MB_CTRL, b"\x00", addrsize=16)
        self._i2c.writeto_mem(_ADDRESS, _MB_CTRL, b"\x01", addrsize=16)

    def take(self) -> bytes:
        control = self._i2c.readfrom_mem(_ADDRESS, _MB_CTRL, 2, addrsize=16)
        if not control[0] & _RF_PUT_MSG:
            return b""
        return self._i2c.readfrom_mem(_ADDRESS, _MAILBOX, control[1] + 1, addrsize=16)
