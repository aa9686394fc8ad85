# ST25DV04K, an NFC tag with an I2C side, ST DS10925: section 5.1 for the mailbox, its table of dynamic registers for the numbers. The
# electronic key is an NFC reader that puts a sealed command into the mailbox; what it says is trusted for its seal alone. MB_MODE (a
# static register behind a password) is set once when the board is made.
# OSError where the chip is silent: it also does not answer on I2C while the field is served.
from strapline_wire.compat import const

_ADDRESS = const(0x53)
_MB_CTRL = const(0x2006)  # and MB_LEN, which is the message's length less one
_MAILBOX = const(0x2008)
_RF_PUT_MSG = const(4)


def start(i2c) -> None:
    # What lies there is dropped: a mailbox that is full takes nothing.
    for enable in b"\x00\x01":
        i2c.writeto_mem(_ADDRESS, _MB_CTRL, bytes((enable,)), addrsize=16)


def take(i2c) -> bytes:
    control = i2c.readfrom_mem(_ADDRESS, _MB_CTRL, 2, addrsize=16)
    if not control[0] & _RF_PUT_MSG:
        return b""
    return i2c.readfrom_mem(_ADDRESS, _MAILBOX, control[1] + 1, addrsize=16)
