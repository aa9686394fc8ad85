# Made by strapline_protocol.generate from strapline_protocol.definitions; edit those, then run `make generate`.
# fmt: off
from collections import namedtuple
from struct import pack as _pack
from struct import unpack_from as _unpack

from strapline_wire.compat import const
from strapline_wire.errors import LocalProtocolError, RemoteProtocolError

HEARTBEAT = const(0x01)
HELLO = const(0x02)
WELCOME = const(0x03)
RECORD = const(0x04)
COMMAND = const(0x05)
REPLY = const(0x06)
EVENT = const(0x10)
FIX = const(0x11)
TIME_REQUEST = const(0x12)
RECEIPT = const(0x20)
TIME = const(0x21)
ARM = const(0x22)
RECEIPT_FAR = const(0x23)

EVENT_STARTED = const(1)
EVENT_ARMED = const(2)
EVENT_ARM_REFUSED = const(3)
EVENT_BEACON = const(4)
EVENT_STRAP_OPEN = const(16)
EVENT_STRAP_CLOSED = const(17)
EVENT_STRAP_ALTERED = const(18)
EVENT_SKIN_LOST = const(24)
EVENT_SKIN_BACK = const(25)
EVENT_REMOVED = const(26)
EVENT_LEFT_HOME = const(32)
EVENT_CAME_HOME = const(33)
EVENT_NO_FIX = const(40)
EVENT_ALARMS = (16, 18, 26,)

STATE_ARMED = const(0x0001)
STATE_STRAP_OPEN = const(0x0002)
STATE_STRAP_LATCHED = const(0x0004)
STATE_SKIN_LOST = const(0x0008)
STATE_AWAY = const(0x0010)
STATE_PENDING = const(0x0020)
STATE_ALARM_PENDING = const(0x0040)
STATE_CLOCK_TRUSTED = const(0x0080)
STATE_GNSS_ON = const(0x0100)


HEADER_SIZE = const(9)
Header = namedtuple('Header', ('version_kind', 'pseudonym', 'masked_counter'))


def pack_header(value):
    version_kind, pseudonym, masked_counter = value
    if not (0 <= version_kind <= 255 and 0 <= pseudonym <= 4294967295 and 0 <= masked_counter <= 4294967295):
        raise LocalProtocolError("HEADER out of range", value)
    return _pack(">BLL", version_kind, pseudonym, masked_counter)


def unpack_header(data):
    if len(data) < 9:
        raise RemoteProtocolError("truncated")
    version_kind, pseudonym, masked_counter = _unpack(">BLL", data)
    return Header(version_kind, pseudonym, masked_counter)


ENVELOPE_SIZE = const(10)
Envelope = namedtuple('Envelope', ('kind', 'flags', 'origin', 'number'))


def pack_envelope(value):
    kind, flags, origin, number = value
    if not (0 <= kind <= 255 and 0 <= flags <= 255 and 0 <= origin <= 4294967295 and 0 <= number <= 4294967295):
        raise LocalProtocolError("ENVELOPE out of range", value)
    return _pack(">BBLL", kind, flags, origin, number)


def unpack_envelope(data):
    if len(data) < 10:
        raise RemoteProtocolError("truncated")
    kind, flags, origin, number = _unpack(">BBLL", data)
    return Envelope(kind, flags, origin, number)


HEARTBEAT_SIZE = const(7)
Heartbeat = namedtuple('Heartbeat', ('flags', 'strap_openings', 'battery_percent', 'uptime_4s', 'newest_alarm'))


def pack_heartbeat(value):
    flags, strap_openings, battery_percent, uptime_4s, newest_alarm = value
    if not (0 <= flags <= 65535 and 0 <= strap_openings <= 255 and 0 <= battery_percent <= 100 and 0 <= uptime_4s <= 65535 and 0 <= newest_alarm <= 255):
        raise LocalProtocolError("HEARTBEAT out of range", value)
    return _pack(">HBBHB", flags, strap_openings, battery_percent, uptime_4s, newest_alarm)


def unpack_heartbeat(data):
    if len(data) < 7:
        raise RemoteProtocolError("truncated")
    flags, strap_openings, battery_percent, uptime_4s, newest_alarm = _unpack(">HBBHB", data)
    if not (0 <= battery_percent <= 100):
        raise RemoteProtocolError("out_of_range", "HEARTBEAT")
    return Heartbeat(flags, strap_openings, battery_percent, uptime_4s, newest_alarm)


HELLO_SIZE = const(8)
Hello = namedtuple('Hello', ('nonce',))


def pack_hello(value):
    nonce, = value
    if not (len(nonce) == 8):
        raise LocalProtocolError("HELLO out of range", value)
    return _pack(">8s", nonce)


def unpack_hello(data):
    if len(data) < 8:
        raise RemoteProtocolError("truncated")
    nonce, = _unpack(">8s", data)
    return Hello(nonce)


WELCOME_SIZE = const(13)
Welcome = namedtuple('Welcome', ('gateway', 'nonce', 'flags'))


def pack_welcome(value):
    gateway, nonce, flags = value
    if not (0 <= gateway <= 4294967295 and len(nonce) == 8 and 0 <= flags <= 255):
        raise LocalProtocolError("WELCOME out of range", value)
    return _pack(">L8sB", gateway, nonce, flags)


def unpack_welcome(data):
    if len(data) < 13:
        raise RemoteProtocolError("truncated")
    gateway, nonce, flags = _unpack(">L8sB", data)
    return Welcome(gateway, nonce, flags)


REPLY_SIZE = const(6)
Reply = namedtuple('Reply', ('boot', 'uptime_s'))


def pack_reply(value):
    boot, uptime_s = value
    if not (0 <= boot <= 65535 and 0 <= uptime_s <= 4294967295):
        raise LocalProtocolError("REPLY out of range", value)
    return _pack(">HL", boot, uptime_s)


def unpack_reply(data):
    if len(data) < 6:
        raise RemoteProtocolError("truncated")
    boot, uptime_s = _unpack(">HL", data)
    return Reply(boot, uptime_s)


EVENT_SIZE = const(18)
Event = namedtuple('Event', ('code', 'flags', 'boot', 'uptime_s', 'uptime_ms', 'utc_s', 'detail'))


def pack_event(value):
    code, flags, boot, uptime_s, uptime_ms, utc_s, detail = value
    if not (0 <= code <= 255 and 0 <= flags <= 7 and 0 <= boot <= 65535 and 0 <= uptime_s <= 4294967295 and 0 <= uptime_ms <= 999 and 0 <= utc_s <= 4294967295 and -2147483648 <= detail <= 2147483647):
        raise LocalProtocolError("EVENT out of range", value)
    return _pack(">BBHLHLl", code, flags, boot, uptime_s, uptime_ms, utc_s, detail)


def unpack_event(data):
    if len(data) < 18:
        raise RemoteProtocolError("truncated")
    code, flags, boot, uptime_s, uptime_ms, utc_s, detail = _unpack(">BBHLHLl", data)
    if not (0 <= flags <= 7 and 0 <= uptime_ms <= 999):
        raise RemoteProtocolError("out_of_range", "EVENT")
    return Event(code, flags, boot, uptime_s, uptime_ms, utc_s, detail)


FIX_SIZE = const(24)
Fix = namedtuple('Fix', ('boot', 'uptime_s', 'utc_s', 'utc_ms', 'lat_e7', 'lon_e7', 'accuracy_dm', 'speed_dm_s', 'flags'))


def pack_fix(value):
    boot, uptime_s, utc_s, utc_ms, lat_e7, lon_e7, accuracy_dm, speed_dm_s, flags = value
    if not (0 <= boot <= 65535 and 0 <= uptime_s <= 4294967295 and 0 <= utc_s <= 4294967295 and 0 <= utc_ms <= 999 and -900000000 <= lat_e7 <= 900000000 and -1800000000 <= lon_e7 <= 1800000000 and 0 <= accuracy_dm <= 65535 and 0 <= speed_dm_s <= 255 and 0 <= flags <= 7):
        raise LocalProtocolError("FIX out of range", value)
    return _pack(">HLLHllHBB", boot, uptime_s, utc_s, utc_ms, lat_e7, lon_e7, accuracy_dm, speed_dm_s, flags)


def unpack_fix(data):
    if len(data) < 24:
        raise RemoteProtocolError("truncated")
    boot, uptime_s, utc_s, utc_ms, lat_e7, lon_e7, accuracy_dm, speed_dm_s, flags = _unpack(">HLLHllHBB", data)
    if not (0 <= utc_ms <= 999 and -900000000 <= lat_e7 <= 900000000 and -1800000000 <= lon_e7 <= 1800000000 and 0 <= flags <= 7):
        raise RemoteProtocolError("out_of_range", "FIX")
    return Fix(boot, uptime_s, utc_s, utc_ms, lat_e7, lon_e7, accuracy_dm, speed_dm_s, flags)


TIME_REQUEST_SIZE = const(6)
TimeRequest = namedtuple('TimeRequest', ('boot', 'uptime_s'))


def pack_time_request(value):
    boot, uptime_s = value
    if not (0 <= boot <= 65535 and 0 <= uptime_s <= 4294967295):
        raise LocalProtocolError("TIME_REQUEST out of range", value)
    return _pack(">HL", boot, uptime_s)


def unpack_time_request(data):
    if len(data) < 6:
        raise RemoteProtocolError("truncated")
    boot, uptime_s = _unpack(">HL", data)
    return TimeRequest(boot, uptime_s)


RECEIPT_SIZE = const(12)
Receipt = namedtuple('Receipt', ('journal', 'base', 'bitmap'))


def pack_receipt(value):
    journal, base, bitmap = value
    if not (0 <= journal <= 4294967295 and 0 <= base <= 4294967295 and 0 <= bitmap <= 4294967295):
        raise LocalProtocolError("RECEIPT out of range", value)
    return _pack(">LLL", journal, base, bitmap)


def unpack_receipt(data):
    if len(data) < 12:
        raise RemoteProtocolError("truncated")
    journal, base, bitmap = _unpack(">LLL", data)
    return Receipt(journal, base, bitmap)


RECEIPT_FAR_SIZE = const(12)
ReceiptFar = namedtuple('ReceiptFar', ('journal', 'first', 'bitmap'))


def pack_receipt_far(value):
    journal, first, bitmap = value
    if not (0 <= journal <= 4294967295 and 0 <= first <= 4294967295 and 0 <= bitmap <= 4294967295):
        raise LocalProtocolError("RECEIPT_FAR out of range", value)
    return _pack(">LLL", journal, first, bitmap)


def unpack_receipt_far(data):
    if len(data) < 12:
        raise RemoteProtocolError("truncated")
    journal, first, bitmap = _unpack(">LLL", data)
    return ReceiptFar(journal, first, bitmap)


TIME_SIZE = const(14)
Time = namedtuple('Time', ('nonce', 'utc_s', 'utc_ms'))


def pack_time(value):
    nonce, utc_s, utc_ms = value
    if not (len(nonce) == 8 and 0 <= utc_s <= 4294967295 and 0 <= utc_ms <= 999):
        raise LocalProtocolError("TIME out of range", value)
    return _pack(">8sLH", nonce, utc_s, utc_ms)


def unpack_time(data):
    if len(data) < 14:
        raise RemoteProtocolError("truncated")
    nonce, utc_s, utc_ms = _unpack(">8sLH", data)
    if not (0 <= utc_ms <= 999):
        raise RemoteProtocolError("out_of_range", "TIME")
    return Time(nonce, utc_s, utc_ms)


ARM_SIZE = const(8)
Arm = namedtuple('Arm', ('key_id', 'issued_utc_s'))


def pack_arm(value):
    key_id, issued_utc_s = value
    if not (0 <= key_id <= 4294967295 and 0 <= issued_utc_s <= 4294967295):
        raise LocalProtocolError("ARM out of range", value)
    return _pack(">LL", key_id, issued_utc_s)


def unpack_arm(data):
    if len(data) < 8:
        raise RemoteProtocolError("truncated")
    key_id, issued_utc_s = _unpack(">LL", data)
    return Arm(key_id, issued_utc_s)
