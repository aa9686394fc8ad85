# Made by strapline_protocol.generate from strapline_protocol.definitions; edit those, then run `make generate`.
# fmt: off
from typing import NamedTuple

HEARTBEAT: int
HELLO: int
WELCOME: int
RECORD: int
COMMAND: int
REPLY: int
EVENT: int
FIX: int
TIME_REQUEST: int
RECEIPT: int
TIME: int
ARM: int
RECEIPT_FAR: int
EVENT_STARTED: int
EVENT_ARMED: int
EVENT_ARM_REFUSED: int
EVENT_BEACON: int
EVENT_STRAP_OPEN: int
EVENT_STRAP_CLOSED: int
EVENT_STRAP_ALTERED: int
EVENT_SKIN_LOST: int
EVENT_SKIN_BACK: int
EVENT_REMOVED: int
EVENT_LEFT_HOME: int
EVENT_CAME_HOME: int
EVENT_NO_FIX: int
EVENT_ALARMS: tuple[int, ...]
STATE_ARMED: int
STATE_STRAP_OPEN: int
STATE_STRAP_LATCHED: int
STATE_SKIN_LOST: int
STATE_AWAY: int
STATE_PENDING: int
STATE_ALARM_PENDING: int
STATE_CLOCK_TRUSTED: int
STATE_GNSS_ON: int

HEADER_SIZE: int
class Header(NamedTuple):
    version_kind: int
    pseudonym: int
    masked_counter: int
def pack_header(value: Header | tuple[int, int, int]) -> bytes: ...
def unpack_header(data: bytes) -> Header: ...

ENVELOPE_SIZE: int
class Envelope(NamedTuple):
    kind: int
    flags: int
    origin: int
    number: int
def pack_envelope(value: Envelope | tuple[int, int, int, int]) -> bytes: ...
def unpack_envelope(data: bytes) -> Envelope: ...

HEARTBEAT_SIZE: int
class Heartbeat(NamedTuple):
    flags: int
    strap_openings: int
    battery_percent: int
    uptime_4s: int
    newest_alarm: int
def pack_heartbeat(value: Heartbeat | tuple[int, int, int, int, int]) -> bytes: ...
def unpack_heartbeat(data: bytes) -> Heartbeat: ...

HELLO_SIZE: int
class Hello(NamedTuple):
    nonce: bytes
def pack_hello(value: Hello | tuple[bytes]) -> bytes: ...
def unpack_hello(data: bytes) -> Hello: ...

WELCOME_SIZE: int
class Welcome(NamedTuple):
    gateway: int
    nonce: bytes
    flags: int
def pack_welcome(value: Welcome | tuple[int, bytes, int]) -> bytes: ...
def unpack_welcome(data: bytes) -> Welcome: ...

REPLY_SIZE: int
class Reply(NamedTuple):
    boot: int
    uptime_s: int
def pack_reply(value: Reply | tuple[int, int]) -> bytes: ...
def unpack_reply(data: bytes) -> Reply: ...

EVENT_SIZE: int
class Event(NamedTuple):
    code: int
    flags: int
    boot: int
    uptime_s: int
    uptime_ms: int
    utc_s: int
    detail: int
def pack_event(value: Event | tuple[int, int, int, int, int, int, int]) -> bytes: ...
def unpack_event(data: bytes) -> Event: ...

FIX_SIZE: int
class Fix(NamedTuple):
    boot: int
    uptime_s: int
    utc_s: int
    utc_ms: int
    lat_e7: int
    lon_e7: int
    accuracy_dm: int
    speed_dm_s: int
    flags: int
def pack_fix(value: Fix | tuple[int, int, int, int, int, int, int, int, int]) -> bytes: ...
def unpack_fix(data: bytes) -> Fix: ...

TIME_REQUEST_SIZE: int
class TimeRequest(NamedTuple):
    boot: int
    uptime_s: int
def pack_time_request(value: TimeRequest | tuple[int, int]) -> bytes: ...
def unpack_time_request(data: bytes) -> TimeRequest: ...

RECEIPT_SIZE: int
class Receipt(NamedTuple):
    journal: int
    base: int
    bitmap: int
def pack_receipt(value: Receipt | tuple[int, int, int]) -> bytes: ...
def unpack_receipt(data: bytes) -> Receipt: ...

RECEIPT_FAR_SIZE: int
class ReceiptFar(NamedTuple):
    journal: int
    first: int
    bitmap: int
def pack_receipt_far(value: ReceiptFar | tuple[int, int, int]) -> bytes: ...
def unpack_receipt_far(data: bytes) -> ReceiptFar: ...

TIME_SIZE: int
class Time(NamedTuple):
    nonce: bytes
    utc_s: int
    utc_ms: int
def pack_time(value: Time | tuple[bytes, int, int]) -> bytes: ...
def unpack_time(data: bytes) -> Time: ...

ARM_SIZE: int
class Arm(NamedTuple):
    key_id: int
    issued_utc_s: int
def pack_arm(value: Arm | tuple[int, int]) -> bytes: ...
def unpack_arm(data: bytes) -> Arm: ...
