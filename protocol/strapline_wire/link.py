# The byte link under every bearer (GATT, serial, TCP): COBS frames with a CRC-16, board log text passing between them.
# It finds frames and nothing else: who sent them, and whether they are genuine, is decided above.
from strapline_wire.errors import LocalProtocolError

try:
    from binascii import crc_hqx
except ImportError:
    crc_hqx = None

# The largest frame: a record of 512 bytes and its outer seal. A line holds one with the header of `arq` before it; what is longer is none.
FRAME_LIMIT = 544
HEADER_SIZE = 3
CONTENT_LIMIT = FRAME_LIMIT + HEADER_SIZE
_ENCODED_LIMIT = CONTENT_LIMIT + 2 + (CONTENT_LIMIT + 2) // 254 + 1

# CRC-16/CCITT-FALSE (polynomial 0x1021, start 0xFFFF) by nibbles.
_NIBBLES = (
    0x0000, 0x1021, 0x2042, 0x3063, 0x4084, 0x50A5, 0x60C6, 0x70E7,
    0x8108, 0x9129, 0xA14A, 0xB16B, 0xC18C, 0xD1AD, 0xE1CE, 0xF1EF,
)  # fmt: skip


def crc16_nibbles(data: bytes) -> int:
    crc = 0xFFFF
    table = _NIBBLES
    for byte in data:
        crc = ((crc << 4) & 0xFFF0) ^ table[(crc >> 12) ^ (byte >> 4)]
        crc = ((crc << 4) & 0xFFF0) ^ table[(crc >> 12) ^ (byte & 15)]
    return crc


def crc16(data: bytes) -> int:
    # Inverted at the end (CRC-16/GENIBUS). Without that a zero behind a frame and its CRC passes as well, and COBS makes such a zero
    # out of a closing delimiter with one flipped bit.
    return (crc_hqx(data, 0xFFFF) if crc_hqx else crc16_nibbles(data)) ^ 0xFFFF


def encode(frame: bytes) -> bytes:
    # One frame (or a line's whole content) for the line, with a zero on both sides so that log text before it cannot spoil it.
    if len(frame) > CONTENT_LIMIT:
        raise LocalProtocolError("frame too long for the link", len(frame))
    content = frame + crc16(frame).to_bytes(2, "big")
    line = bytearray(1)
    start = end = 0
    while end >= 0:  # no split: of a frame full of zeros it would make hundreds of objects
        end = content.find(b"\x00", start)
        stop = end if end >= 0 else len(content)
        while stop - start >= 254:
            line.append(255)
            line.extend(content[start : start + 254])
            start += 254
        line.append(stop - start + 1)
        if stop > start:
            line.extend(content[start:stop])
        start = stop + 1
    line.append(0)
    return bytes(line)


def decode(line: bytes) -> "bytes | None":
    # What stood between two zeros: the frame, or None where it is none.
    out = bytearray()
    at = 0
    end = len(line)
    while at < end:
        code = line[at]
        if code == 0 or at + code > end:
            return None
        if code > 1:
            out.extend(line[at + 1 : at + code])
        at += code
        if code < 255 and at < end:
            out.append(0)
    if not 2 <= len(out) <= CONTENT_LIMIT + 2:
        return None
    frame = bytes(out[:-2])
    return frame if crc16(frame) == (out[-2] << 8 | out[-1]) else None


def _is_text(line: bytes) -> bool:
    for byte in line:
        if not (32 <= byte < 127 or byte == 9 or byte == 10 or byte == 13):
            return False
    return True


class Deframer:
    # Bytes in, frames out; `text` collects what was no frame but readable, up to a limit.
    def __init__(self):
        self._line = bytearray()
        self._overlong = False
        self.broken = 0  # runs of bytes that were neither a frame nor text
        self.text = b""  # the newest of it, at most _ENCODED_LIMIT bytes

    def feed(self, data: bytes) -> "list[bytes]":
        frames = []
        start = 0
        end = data.find(b"\x00")
        while end >= 0:
            if end > start:
                self._take(data[start:end])
            frame = self._finish()
            if frame is not None:
                frames.append(frame)
            start = end + 1
            end = data.find(b"\x00", start)
        self._take(data[start:])
        return frames

    def _take(self, part: bytes) -> None:
        # An endless line must not fill the memory: of what is too long for a frame the newest bytes are kept, in case it is text.
        self._line.extend(part)
        if len(self._line) > _ENCODED_LIMIT:
            self._overlong = True
        if len(self._line) > 2 * _ENCODED_LIMIT:
            self._line = self._line[-_ENCODED_LIMIT:]

    def _finish(self) -> "bytes | None":
        if not self._line:
            return None
        line = bytes(self._line)
        self._line = bytearray()
        if self._overlong:
            self._overlong = False
            line = line[-_ENCODED_LIMIT:]
            frame = None
        else:
            frame = decode(line)
        if frame is None:
            if _is_text(line):
                self.text = (self.text + line)[-_ENCODED_LIMIT:]
            else:
                self.broken += 1
        return frame
