# Made by strapline_protocol.generate from strapline_protocol.definitions; edit those, then run `make generate`.
# fmt: off
from struct import pack as _pack

from strapline_wire.compat import SHORT, const, reader, record
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
TOMBSTONE = const(0x13)
RECEIPT = const(0x20)
TIME = const(0x21)
ARM = const(0x22)
RECEIPT_FAR = const(0x23)
DISARM = const(0x24)
CONFIG = const(0x25)
CURFEW = const(0x26)
ZONES = const(0x27)
MESSAGE = const(0x28)
LOCATE = const(0x29)
UPDATE_BEGIN = const(0x2A)
UPDATE_CHUNK = const(0x2B)
UPDATE_COMMIT = const(0x2C)
REFUSED = const(0x2D)
REKEY = const(0x2E)
PART = const(0x2F)

EVENT_STARTED = const(1)
EVENT_ARMED = const(2)
EVENT_ARM_REFUSED = const(3)
EVENT_BEACON = const(4)
EVENT_DISARMED = const(5)
EVENT_DISARM_REFUSED = const(6)
EVENT_APPLIED = const(7)
EVENT_COMMAND_REFUSED = const(8)
EVENT_REKEYED = const(9)
EVENT_CHECKED = const(10)
EVENT_CLOCK_UNTRUSTED = const(11)
EVENT_CLOCK_TRUSTED = const(12)
EVENT_JOURNAL_FAULT = const(13)
EVENT_COUNTER_LOW = const(14)
EVENT_STRAP_OPEN = const(16)
EVENT_STRAP_CLOSED = const(17)
EVENT_STRAP_ALTERED = const(18)
EVENT_CASE_OPEN = const(19)
EVENT_CASE_CLOSED = const(20)
EVENT_IMMERSED = const(21)
EVENT_SURFACED = const(22)
EVENT_SKIN_LOST = const(24)
EVENT_SKIN_BACK = const(25)
EVENT_REMOVED = const(26)
EVENT_TOO_HOT = const(27)
EVENT_LEFT_HOME = const(32)
EVENT_CAME_HOME = const(33)
EVENT_CURFEW_BROKEN = const(34)
EVENT_CURFEW_KEPT = const(35)
EVENT_CALLED_IN = const(36)
EVENT_CALL_IN_MISSED = const(37)
EVENT_NO_FIX = const(40)
EVENT_MOVING_WITHOUT_FIX = const(41)
EVENT_LOCATED = const(42)
EVENT_SHIELDED = const(43)
EVENT_JAMMED = const(44)
EVENT_SPOOFED = const(45)
EVENT_SKY_BACK = const(46)
EVENT_ZONE_BROKEN = const(48)
EVENT_ZONE_KEPT = const(49)
EVENT_RESTING = const(56)
EVENT_MOVING = const(57)
EVENT_BATTERY_LOW = const(64)
EVENT_BATTERY_CRITICAL = const(65)
EVENT_BATTERY_LAST = const(66)
EVENT_CHARGING = const(67)
EVENT_UNPLUGGED = const(68)
EVENT_MESSAGE_SHOWN = const(72)
EVENT_MESSAGE_ANSWERED = const(73)
EVENT_MESSAGE_UNANSWERED = const(74)
EVENT_VIBRATED = const(75)
EVENT_BUTTON = const(76)
EVENT_UPDATE_TAKEN = const(80)
EVENT_UPDATE_REFUSED = const(81)
EVENT_UPDATE_UNDONE = const(82)
EVENT_IMAGE_CORRUPT = const(83)

REFUSAL_UNKNOWN_KIND = const(1)
REFUSAL_MALFORMED = const(2)
REFUSAL_OUT_OF_RANGE = const(3)
REFUSAL_NOT_NOW = const(4)
REFUSAL_TOO_LONG = const(5)
REFUSAL_OLD_REVISION = const(6)
REFUSAL_CANNOT_OPEN = const(7)
REFUSAL_UNSIGNED = const(16)
REFUSAL_WRONG_BOARD = const(17)
REFUSAL_EXPIRED = const(18)

EVENT_ALARMS = frozenset((16, 18, 19, 26, 34, 37, 41, 43, 44, 45, 48, 66, 74))

STATE_ARMED = const(0x0001)
STATE_STRAP_OPEN = const(0x0002)
STATE_STRAP_LATCHED = const(0x0004)
STATE_SKIN_LOST = const(0x0008)
STATE_AWAY = const(0x0010)
STATE_PENDING = const(0x0020)
STATE_ALARM_PENDING = const(0x0040)
STATE_CLOCK_TRUSTED = const(0x0080)
STATE_GNSS_ON = const(0x0100)
STATE_ASKS = const(0x0200)


HEADER_SIZE = const(9)
Header = record('Header', ('version_kind', 'pseudonym', 'masked_counter'))
_header = reader(">BLL")


def pack_header(value):
    version_kind, pseudonym, masked_counter = value
    if not (0 <= version_kind <= 255 and 0 <= pseudonym <= 4294967295 and 0 <= masked_counter <= 4294967295):
        raise LocalProtocolError("HEADER out of range", value)
    return _pack(">BLL", version_kind, pseudonym, masked_counter)


def unpack_header(data):
    try:
        value = Header(_header(data))
    except SHORT:
        raise RemoteProtocolError("truncated") from None
    return value


ENVELOPE_SIZE = const(10)
Envelope = record('Envelope', ('kind', 'flags', 'origin', 'number'))
_envelope = reader(">BBLL")


def pack_envelope(value):
    kind, flags, origin, number = value
    if not (0 <= kind <= 255 and 0 <= flags <= 255 and 0 <= origin <= 4294967295 and 0 <= number <= 4294967295):
        raise LocalProtocolError("ENVELOPE out of range", value)
    return _pack(">BBLL", kind, flags, origin, number)


def unpack_envelope(data):
    try:
        value = Envelope(_envelope(data))
    except SHORT:
        raise RemoteProtocolError("truncated") from None
    return value


HEARTBEAT_SIZE = const(7)
Heartbeat = record('Heartbeat', ('flags', 'strap_openings', 'battery_percent', 'uptime_4s', 'newest_alarm'))
_heartbeat = reader(">HBBHB")


def pack_heartbeat(value):
    flags, strap_openings, battery_percent, uptime_4s, newest_alarm = value
    if not (0 <= flags <= 65535 and 0 <= strap_openings <= 255 and 0 <= battery_percent <= 100 and 0 <= uptime_4s <= 65535 and 0 <= newest_alarm <= 255):
        raise LocalProtocolError("HEARTBEAT out of range", value)
    return _pack(">HBBHB", flags, strap_openings, battery_percent, uptime_4s, newest_alarm)


def unpack_heartbeat(data):
    try:
        value = Heartbeat(_heartbeat(data))
    except SHORT:
        raise RemoteProtocolError("truncated") from None
    if value[2] > 100:
        raise RemoteProtocolError("out_of_range", "HEARTBEAT")
    return value


HELLO_SIZE = const(8)
Hello = record('Hello', ('nonce',))
_hello = reader(">8s")


def pack_hello(value):
    nonce, = value
    if not (len(nonce) == 8):
        raise LocalProtocolError("HELLO out of range", value)
    return _pack(">8s", nonce)


def unpack_hello(data):
    try:
        value = Hello(_hello(data))
    except SHORT:
        raise RemoteProtocolError("truncated") from None
    return value


WELCOME_SIZE = const(13)
Welcome = record('Welcome', ('gateway', 'nonce', 'flags'))
_welcome = reader(">L8sB")


def pack_welcome(value):
    gateway, nonce, flags = value
    if not (0 <= gateway <= 4294967295 and len(nonce) == 8 and 0 <= flags <= 255):
        raise LocalProtocolError("WELCOME out of range", value)
    return _pack(">L8sB", gateway, nonce, flags)


def unpack_welcome(data):
    try:
        value = Welcome(_welcome(data))
    except SHORT:
        raise RemoteProtocolError("truncated") from None
    return value


REPLY_SIZE = const(6)
Reply = record('Reply', ('boot', 'uptime_s'))
_reply = reader(">HL")


def pack_reply(value):
    boot, uptime_s = value
    if not (0 <= boot <= 65535 and 0 <= uptime_s <= 4294967295):
        raise LocalProtocolError("REPLY out of range", value)
    return _pack(">HL", boot, uptime_s)


def unpack_reply(data):
    try:
        value = Reply(_reply(data))
    except SHORT:
        raise RemoteProtocolError("truncated") from None
    return value


EVENT_SIZE = const(18)
Event = record('Event', ('code', 'flags', 'boot', 'uptime_s', 'uptime_ms', 'utc_s', 'detail'))
_event = reader(">BBHLHLl")


def pack_event(value):
    code, flags, boot, uptime_s, uptime_ms, utc_s, detail = value
    if not (0 <= code <= 255 and 0 <= flags <= 255 and 0 <= boot <= 65535 and 0 <= uptime_s <= 4294967295 and 0 <= uptime_ms <= 999 and 0 <= utc_s <= 4294967295 and -2147483648 <= detail <= 2147483647):
        raise LocalProtocolError("EVENT out of range", value)
    return _pack(">BBHLHLl", code, flags, boot, uptime_s, uptime_ms, utc_s, detail)


def unpack_event(data):
    try:
        value = Event(_event(data))
    except SHORT:
        raise RemoteProtocolError("truncated") from None
    if value[4] > 999:
        raise RemoteProtocolError("out_of_range", "EVENT")
    return value


FIX_SIZE = const(24)
Fix = record('Fix', ('boot', 'uptime_s', 'utc_s', 'utc_ms', 'lat_e7', 'lon_e7', 'accuracy_dm', 'speed_dm_s', 'flags'))
_fix = reader(">HLLHllHBB")


def pack_fix(value):
    boot, uptime_s, utc_s, utc_ms, lat_e7, lon_e7, accuracy_dm, speed_dm_s, flags = value
    if not (0 <= boot <= 65535 and 0 <= uptime_s <= 4294967295 and 0 <= utc_s <= 4294967295 and 0 <= utc_ms <= 999 and -900000000 <= lat_e7 <= 900000000 and -1800000000 <= lon_e7 <= 1800000000 and 0 <= accuracy_dm <= 65535 and 0 <= speed_dm_s <= 255 and 0 <= flags <= 255):
        raise LocalProtocolError("FIX out of range", value)
    return _pack(">HLLHllHBB", boot, uptime_s, utc_s, utc_ms, lat_e7, lon_e7, accuracy_dm, speed_dm_s, flags)


def unpack_fix(data):
    try:
        value = Fix(_fix(data))
    except SHORT:
        raise RemoteProtocolError("truncated") from None
    if value[3] > 999 or not -900000000 <= value[4] <= 900000000 or not -1800000000 <= value[5] <= 1800000000:
        raise RemoteProtocolError("out_of_range", "FIX")
    return value


TIME_REQUEST_SIZE = const(6)
TimeRequest = record('TimeRequest', ('boot', 'uptime_s'))
_time_request = reader(">HL")


def pack_time_request(value):
    boot, uptime_s = value
    if not (0 <= boot <= 65535 and 0 <= uptime_s <= 4294967295):
        raise LocalProtocolError("TIME_REQUEST out of range", value)
    return _pack(">HL", boot, uptime_s)


def unpack_time_request(data):
    try:
        value = TimeRequest(_time_request(data))
    except SHORT:
        raise RemoteProtocolError("truncated") from None
    return value


TOMBSTONE_SIZE = const(18)
Tombstone = record('Tombstone', ('boot', 'uptime_s', 'first', 'last', 'dropped'))
_tombstone = reader(">HLLLL")


def pack_tombstone(value):
    boot, uptime_s, first, last, dropped = value
    if not (0 <= boot <= 65535 and 0 <= uptime_s <= 4294967295 and 1 <= first <= 4294967295 and 1 <= last <= 4294967295 and 1 <= dropped <= 4294967295):
        raise LocalProtocolError("TOMBSTONE out of range", value)
    return _pack(">HLLLL", boot, uptime_s, first, last, dropped)


def unpack_tombstone(data):
    try:
        value = Tombstone(_tombstone(data))
    except SHORT:
        raise RemoteProtocolError("truncated") from None
    if value[2] < 1 or value[3] < 1 or value[4] < 1:
        raise RemoteProtocolError("out_of_range", "TOMBSTONE")
    return value


RECEIPT_SIZE = const(12)
Receipt = record('Receipt', ('journal', 'base', 'bitmap'))
_receipt = reader(">LLL")


def pack_receipt(value):
    journal, base, bitmap = value
    if not (0 <= journal <= 4294967295 and 0 <= base <= 4294967295 and 0 <= bitmap <= 4294967295):
        raise LocalProtocolError("RECEIPT out of range", value)
    return _pack(">LLL", journal, base, bitmap)


def unpack_receipt(data):
    try:
        value = Receipt(_receipt(data))
    except SHORT:
        raise RemoteProtocolError("truncated") from None
    return value


RECEIPT_FAR_SIZE = const(12)
ReceiptFar = record('ReceiptFar', ('journal', 'first', 'bitmap'))
_receipt_far = reader(">LLL")


def pack_receipt_far(value):
    journal, first, bitmap = value
    if not (0 <= journal <= 4294967295 and 0 <= first <= 4294967295 and 0 <= bitmap <= 4294967295):
        raise LocalProtocolError("RECEIPT_FAR out of range", value)
    return _pack(">LLL", journal, first, bitmap)


def unpack_receipt_far(data):
    try:
        value = ReceiptFar(_receipt_far(data))
    except SHORT:
        raise RemoteProtocolError("truncated") from None
    return value


TIME_SIZE = const(14)
Time = record('Time', ('nonce', 'utc_s', 'utc_ms'))
_time = reader(">8sLH")


def pack_time(value):
    nonce, utc_s, utc_ms = value
    if not (len(nonce) == 8 and 0 <= utc_s <= 4294967295 and 0 <= utc_ms <= 999):
        raise LocalProtocolError("TIME out of range", value)
    return _pack(">8sLH", nonce, utc_s, utc_ms)


def unpack_time(data):
    try:
        value = Time(_time(data))
    except SHORT:
        raise RemoteProtocolError("truncated") from None
    if value[2] > 999:
        raise RemoteProtocolError("out_of_range", "TIME")
    return value


ARM_SIZE = const(8)
Arm = record('Arm', ('key_id', 'issued_utc_s'))
_arm = reader(">LL")


def pack_arm(value):
    key_id, issued_utc_s = value
    if not (0 <= key_id <= 4294967295 and 0 <= issued_utc_s <= 4294967295):
        raise LocalProtocolError("ARM out of range", value)
    return _pack(">LL", key_id, issued_utc_s)


def unpack_arm(data):
    try:
        value = Arm(_arm(data))
    except SHORT:
        raise RemoteProtocolError("truncated") from None
    return value


DISARM_SIZE = const(8)
Disarm = record('Disarm', ('key_id', 'issued_utc_s'))
_disarm = reader(">LL")


def pack_disarm(value):
    key_id, issued_utc_s = value
    if not (0 <= key_id <= 4294967295 and 0 <= issued_utc_s <= 4294967295):
        raise LocalProtocolError("DISARM out of range", value)
    return _pack(">LL", key_id, issued_utc_s)


def unpack_disarm(data):
    try:
        value = Disarm(_disarm(data))
    except SHORT:
        raise RemoteProtocolError("truncated") from None
    return value


LOCATE_SIZE = const(6)
Locate = record('Locate', ('request', 'within_s'))
_locate = reader(">LH")


def pack_locate(value):
    request, within_s = value
    if not (0 <= request <= 4294967295 and 1 <= within_s <= 600):
        raise LocalProtocolError("LOCATE out of range", value)
    return _pack(">LH", request, within_s)


def unpack_locate(data):
    try:
        value = Locate(_locate(data))
    except SHORT:
        raise RemoteProtocolError("truncated") from None
    if not 1 <= value[1] <= 600:
        raise RemoteProtocolError("out_of_range", "LOCATE")
    return value


UPDATE_BEGIN_SIZE = const(42)
UpdateBegin = record('UpdateBegin', ('update', 'size', 'manifest_size', 'digest'))
_update_begin = reader(">LLH32s")


def pack_update_begin(value):
    update, size, manifest_size, digest = value
    if not (0 <= update <= 4294967295 and 1 <= size <= 1048576 and 1 <= manifest_size <= 8192 and len(digest) == 32):
        raise LocalProtocolError("UPDATE_BEGIN out of range", value)
    return _pack(">LLH32s", update, size, manifest_size, digest)


def unpack_update_begin(data):
    try:
        value = UpdateBegin(_update_begin(data))
    except SHORT:
        raise RemoteProtocolError("truncated") from None
    if not 1 <= value[1] <= 1048576 or not 1 <= value[2] <= 8192:
        raise RemoteProtocolError("out_of_range", "UPDATE_BEGIN")
    return value


UPDATE_COMMIT_SIZE = const(36)
UpdateCommit = record('UpdateCommit', ('update', 'digest'))
_update_commit = reader(">L32s")


def pack_update_commit(value):
    update, digest = value
    if not (0 <= update <= 4294967295 and len(digest) == 32):
        raise LocalProtocolError("UPDATE_COMMIT out of range", value)
    return _pack(">L32s", update, digest)


def unpack_update_commit(data):
    try:
        value = UpdateCommit(_update_commit(data))
    except SHORT:
        raise RemoteProtocolError("truncated") from None
    return value


REFUSED_SIZE = const(9)
Refused = record('Refused', ('journal', 'sequence', 'reason'))
_refused = reader(">LLB")


def pack_refused(value):
    journal, sequence, reason = value
    if not (0 <= journal <= 4294967295 and 1 <= sequence <= 4294967295 and 0 <= reason <= 255):
        raise LocalProtocolError("REFUSED out of range", value)
    return _pack(">LLB", journal, sequence, reason)


def unpack_refused(data):
    try:
        value = Refused(_refused(data))
    except SHORT:
        raise RemoteProtocolError("truncated") from None
    if value[1] < 1:
        raise RemoteProtocolError("out_of_range", "REFUSED")
    return value


REKEY_SIZE = const(20)
Rekey = record('Rekey', ('generation', 'salt'))
_rekey = reader(">L16s")


def pack_rekey(value):
    generation, salt = value
    if not (0 <= generation <= 4294967295 and len(salt) == 16):
        raise LocalProtocolError("REKEY out of range", value)
    return _pack(">L16s", generation, salt)


def unpack_rekey(data):
    try:
        value = Rekey(_rekey(data))
    except SHORT:
        raise RemoteProtocolError("truncated") from None
    return value
