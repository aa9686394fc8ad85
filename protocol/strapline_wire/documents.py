# Made by strapline_protocol.generate from strapline_protocol.definitions; edit those, then run `make generate`.
# fmt: off
from struct import pack as _pack

from strapline_wire.compat import SHORT, const, reader, record, rows, utf8
from strapline_wire.errors import LocalProtocolError, RemoteProtocolError

DOCUMENT_LIMIT = const(8192)
PART_LIMIT = const(480)

WINDOW_MAY_LEAVE = const(0)
WINDOW_MUST_LEAVE = const(1)
WINDOW_STAY_HOME = const(2)

RULE_STAY_IN = const(0)
RULE_STAY_OUT = const(1)

SETTING_HEARTBEAT_SHORTEST_MS = const(1)
SETTING_HEARTBEAT_LONGEST_MS = const(2)
SETTING_BEACON_PERIOD_S = const(3)
SETTING_HOME_SILENCE_S = const(4)
SETTING_AWAY_FIX_S = const(5)
SETTING_VIOLATION_FIX_S = const(6)
SETTING_FIX_TIMEOUT_S = const(7)
SETTING_STRAP_TOLERANCE_PERCENT = const(8)
SETTING_SKIN_LOST_S = const(9)
SETTING_REMOVED_S = const(10)
SETTING_ALARM_FALLBACK_MS = const(11)
SETTING_REST_AFTER_S = const(12)
SETTING_REMOVED_STILL_S = const(13)
SETTING_BATTERY_LOW_PERCENT = const(14)
SETTING_BATTERY_CRITICAL_PERCENT = const(15)
SETTING_MODE = const(30)
SETTING_HOME_SILENCE_CURFEW_S = const(31)
SETTING_LOCATE_AT_HOME = const(32)
SETTING_ZONE_POINTS = const(33)
SETTING_ZONE_SURE_M = const(34)
SETTING_NO_FIX_MOTION_S = const(35)
SETTING_NO_FIX_GRACE_S = const(36)
SETTING_SHIELD_S = const(37)
SETTING_JAM_LIMIT = const(38)
SETTING_CURFEW_GRACE_S = const(50)
SETTING_CALL_IN_S = const(51)

# What a setting may be: (lowest, highest).
SETTING_RANGES = {
    1: (500, 10000),  # heartbeat_shortest_ms
    2: (1000, 30000),  # heartbeat_longest_ms
    3: (60, 14400),  # beacon_period_s
    4: (30, 1800),  # home_silence_s
    5: (15, 600),  # away_fix_s
    6: (1, 60),  # violation_fix_s
    7: (30, 600),  # fix_timeout_s
    8: (5, 50),  # strap_tolerance_percent
    9: (60, 7200),  # skin_lost_s
    10: (30, 1800),  # removed_s
    11: (1000, 180000),  # alarm_fallback_ms
    12: (60, 3600),  # rest_after_s
    13: (600, 14400),  # removed_still_s
    14: (5, 50),  # battery_low_percent
    15: (4, 40),  # battery_critical_percent
    30: (0, 2),  # mode
    31: (15, 1800),  # home_silence_curfew_s
    32: (0, 1),  # locate_at_home
    33: (1, 20),  # zone_points
    34: (20, 10000),  # zone_sure_m
    35: (60, 3600),  # no_fix_motion_s
    36: (60, 3600),  # no_fix_grace_s
    37: (60, 3600),  # shield_s
    38: (1, 255),  # jam_limit
    50: (0, 3600),  # curfew_grace_s
    51: (0, 3600),  # call_in_s
}

# The same for a tag, with the name that its configuration gives it: one text takes the least of a board's flash.
SETTINGS = "1 heartbeat_shortest_ms 500 10000 2 heartbeat_longest_ms 1000 30000 3 beacon_period_s 60 14400 4 home_silence_s 30 1800 5 away_fix_s 15 600 6 violation_fix_s 1 60 7 fix_timeout_s 30 600 8 strap_tolerance_percent 5 50 9 skin_lost_s 60 7200 10 removed_s 30 1800 11 alarm_fallback_ms 1000 180000 12 rest_after_s 60 3600 13 removed_still_s 600 14400 14 battery_low_percent 5 50 15 battery_critical_percent 4 40 30 mode 0 2 31 home_silence_curfew_s 15 1800 32 locate_at_home 0 1 33 zone_points 1 20 34 zone_sure_m 20 10000 35 no_fix_motion_s 60 3600 36 no_fix_grace_s 60 3600 37 shield_s 60 3600 38 jam_limit 1 255 50 curfew_grace_s 0 3600 51 call_in_s 0 3600"


Home = record('Home', ('gateway',))
_HOME_SIZE = const(4)
_home_rows = rows(">L")


def _put_home(value):
    gateway, = value
    if not (0 <= gateway <= 4294967295):
        raise LocalProtocolError("Home out of range", value)
    return _pack(">L", gateway)


SettingValue = record('SettingValue', ('setting', 'value'))
_SETTING_VALUE_SIZE = const(6)
_setting_value_rows = rows(">Hl")


def _put_setting_value(value):
    setting, value = value
    if not (0 <= setting <= 65535 and -2147483648 <= value <= 2147483647):
        raise LocalProtocolError("SettingValue out of range", value)
    return _pack(">Hl", setting, value)


Config = record('Config', ('revision', 'homes', 'settings'))
_config_0 = reader(">LB")
_config_1 = reader(">B")


def pack_config(value):
    revision, homes, settings = value
    if not (0 <= revision <= 4294967295 and 0 <= len(homes) <= 8 and 0 <= len(settings) <= 64):
        raise LocalProtocolError("CONFIG out of range", value)
    return _pack(">LB", revision, len(homes)) + b"".join([_put_home(item) for item in homes]) + _pack(">B", len(settings)) + b"".join([_put_setting_value(item) for item in settings])


def _take_config(data, at):
    revision, n = _config_0(data, at)
    at += 5
    if n > 8:
        raise RemoteProtocolError("out_of_range", "CONFIG")
    homes = _home_rows(Home, data, at, n)
    at += n * _HOME_SIZE
    n, = _config_1(data, at)
    at += 1
    if n > 64:
        raise RemoteProtocolError("out_of_range", "CONFIG")
    settings = _setting_value_rows(SettingValue, data, at, n)
    at += n * _SETTING_VALUE_SIZE
    return Config((revision, homes, settings)), at


def unpack_config(data):
    try:
        value, _ = _take_config(data, 0)
    except SHORT:
        raise RemoteProtocolError("truncated") from None
    return value


ZoneChange = record('ZoneChange', ('from_utc_s', 'offset_min'))
_ZONE_CHANGE_SIZE = const(6)
_zone_change_rows = rows(">Lh")


def _put_zone_change(value):
    from_utc_s, offset_min = value
    if not (0 <= from_utc_s <= 4294967295 and -840 <= offset_min <= 840):
        raise LocalProtocolError("ZoneChange out of range", value)
    return _pack(">Lh", from_utc_s, offset_min)


WeeklyWindow = record('WeeklyWindow', ('window', 'start_min', 'length_min'))
_WEEKLY_WINDOW_SIZE = const(5)
_weekly_window_rows = rows(">BHH")


def _put_weekly_window(value):
    window, start_min, length_min = value
    if not (0 <= window <= 255 and 0 <= start_min <= 10079 and 1 <= length_min <= 10080):
        raise LocalProtocolError("WeeklyWindow out of range", value)
    return _pack(">BHH", window, start_min, length_min)


OnceWindow = record('OnceWindow', ('window', 'from_utc_s', 'until_utc_s'))
_ONCE_WINDOW_SIZE = const(9)
_once_window_rows = rows(">BLL")


def _put_once_window(value):
    window, from_utc_s, until_utc_s = value
    if not (0 <= window <= 255 and 0 <= from_utc_s <= 4294967295 and 0 <= until_utc_s <= 4294967295):
        raise LocalProtocolError("OnceWindow out of range", value)
    return _pack(">BLL", window, from_utc_s, until_utc_s)


Curfew = record('Curfew', ('revision', 'changes', 'weekly', 'once'))
_curfew_0 = reader(">LB")
_curfew_1 = reader(">B")
_curfew_2 = reader(">B")


def pack_curfew(value):
    revision, changes, weekly, once = value
    if not (0 <= revision <= 4294967295 and 1 <= len(changes) <= 16 and 0 <= len(weekly) <= 128 and 0 <= len(once) <= 64):
        raise LocalProtocolError("CURFEW out of range", value)
    return _pack(">LB", revision, len(changes)) + b"".join([_put_zone_change(item) for item in changes]) + _pack(">B", len(weekly)) + b"".join([_put_weekly_window(item) for item in weekly]) + _pack(">B", len(once)) + b"".join([_put_once_window(item) for item in once])


def _take_curfew(data, at):
    revision, n = _curfew_0(data, at)
    at += 5
    if not 1 <= n <= 16:
        raise RemoteProtocolError("out_of_range", "CURFEW")
    changes = _zone_change_rows(ZoneChange, data, at, n)
    at += n * _ZONE_CHANGE_SIZE
    for item in changes:
        if not -840 <= item[1] <= 840:
            raise RemoteProtocolError("out_of_range", "ZoneChange")
    n, = _curfew_1(data, at)
    at += 1
    if n > 128:
        raise RemoteProtocolError("out_of_range", "CURFEW")
    weekly = _weekly_window_rows(WeeklyWindow, data, at, n)
    at += n * _WEEKLY_WINDOW_SIZE
    for item in weekly:
        if item[1] > 10079 or not 1 <= item[2] <= 10080:
            raise RemoteProtocolError("out_of_range", "WeeklyWindow")
    n, = _curfew_2(data, at)
    at += 1
    if n > 64:
        raise RemoteProtocolError("out_of_range", "CURFEW")
    once = _once_window_rows(OnceWindow, data, at, n)
    at += n * _ONCE_WINDOW_SIZE
    return Curfew((revision, changes, weekly, once)), at


def unpack_curfew(data):
    try:
        value, _ = _take_curfew(data, 0)
    except SHORT:
        raise RemoteProtocolError("truncated") from None
    return value


Vertex = record('Vertex', ('lat_e7', 'lon_e7'))
_VERTEX_SIZE = const(8)
_vertex_rows = rows(">ll")


def _put_vertex(value):
    lat_e7, lon_e7 = value
    if not (-900000000 <= lat_e7 <= 900000000 and -1800000000 <= lon_e7 <= 1800000000):
        raise LocalProtocolError("Vertex out of range", value)
    return _pack(">ll", lat_e7, lon_e7)


Zone = record('Zone', ('zone', 'rule', 'tolerance_m', 'radius_m', 'vertices'))
_zone_0 = reader(">HBHLB")


def _put_zone(value):
    zone, rule, tolerance_m, radius_m, vertices = value
    if not (0 <= zone <= 65535 and 0 <= rule <= 255 and 0 <= tolerance_m <= 65535 and 0 <= radius_m <= 1000000 and 1 <= len(vertices) <= 64):
        raise LocalProtocolError("Zone out of range", value)
    return _pack(">HBHLB", zone, rule, tolerance_m, radius_m, len(vertices)) + b"".join([_put_vertex(item) for item in vertices])


def _take_zone(data, at):
    zone, rule, tolerance_m, radius_m, n = _zone_0(data, at)
    at += 10
    if radius_m > 1000000 or not 1 <= n <= 64:
        raise RemoteProtocolError("out_of_range", "Zone")
    vertices = _vertex_rows(Vertex, data, at, n)
    at += n * _VERTEX_SIZE
    for item in vertices:
        if not -900000000 <= item[0] <= 900000000 or not -1800000000 <= item[1] <= 1800000000:
            raise RemoteProtocolError("out_of_range", "Vertex")
    return Zone((zone, rule, tolerance_m, radius_m, vertices)), at


Zones = record('Zones', ('revision', 'zones'))
_zones_0 = reader(">LB")


def pack_zones(value):
    revision, zones = value
    if not (0 <= revision <= 4294967295 and 0 <= len(zones) <= 32):
        raise LocalProtocolError("ZONES out of range", value)
    return _pack(">LB", revision, len(zones)) + b"".join([_put_zone(item) for item in zones])


def _take_zones(data, at):
    revision, n = _zones_0(data, at)
    at += 5
    if n > 32:
        raise RemoteProtocolError("out_of_range", "ZONES")
    found = []
    for _ in range(n):
        item, at = _take_zone(data, at)
        found.append(item)
    zones = tuple(found)
    return Zones((revision, zones)), at


def unpack_zones(data):
    try:
        value, _ = _take_zones(data, 0)
    except SHORT:
        raise RemoteProtocolError("truncated") from None
    return value


Message = record('Message', ('message', 'flags', 'answer_within_s', 'language', 'text'))
_message_0 = reader(">LBHH")
_message_1 = reader(">H")


def pack_message(value):
    message, flags, answer_within_s, language, text = value
    language = language.encode()
    text = text.encode()
    if not (0 <= message <= 4294967295 and 0 <= flags <= 255 and 0 <= answer_within_s <= 65535 and 0 <= len(language) <= 16 and 0 <= len(text) <= 320):
        raise LocalProtocolError("MESSAGE out of range", value)
    return _pack(">LBHH", message, flags, answer_within_s, len(language)) + language + _pack(">H", len(text)) + text


def _take_message(data, at):
    message, flags, answer_within_s, n = _message_0(data, at)
    at += 9
    if n > 16:
        raise RemoteProtocolError("out_of_range", "MESSAGE")
    if at + n > len(data):
        raise RemoteProtocolError("truncated")
    language = utf8(data[at : at + n])
    at += n
    n, = _message_1(data, at)
    at += 2
    if n > 320:
        raise RemoteProtocolError("out_of_range", "MESSAGE")
    if at + n > len(data):
        raise RemoteProtocolError("truncated")
    text = utf8(data[at : at + n])
    at += n
    return Message((message, flags, answer_within_s, language, text)), at


def unpack_message(data):
    try:
        value, _ = _take_message(data, 0)
    except SHORT:
        raise RemoteProtocolError("truncated") from None
    return value


UpdateChunk = record('UpdateChunk', ('update', 'offset', 'data'))
_update_chunk_0 = reader(">LLH")


def pack_update_chunk(value):
    update, offset, data = value
    if not (0 <= update <= 4294967295 and 0 <= offset <= 1048575 and 0 <= len(data) <= 448):
        raise LocalProtocolError("UPDATE_CHUNK out of range", value)
    return _pack(">LLH", update, offset, len(data)) + data


def _take_update_chunk(data, at):
    update, offset, n = _update_chunk_0(data, at)
    at += 10
    if offset > 1048575 or n > 448:
        raise RemoteProtocolError("out_of_range", "UPDATE_CHUNK")
    if at + n > len(data):
        raise RemoteProtocolError("truncated")
    data = bytes(data[at : at + n])
    at += n
    return UpdateChunk((update, offset, data)), at


def unpack_update_chunk(data):
    try:
        value, _ = _take_update_chunk(data, 0)
    except SHORT:
        raise RemoteProtocolError("truncated") from None
    return value


Part = record('Part', ('document', 'transfer', 'part', 'parts', 'content'))
_part_0 = reader(">BLBBH")


def pack_part(value):
    document, transfer, part, parts, content = value
    if not (0 <= document <= 255 and 0 <= transfer <= 4294967295 and 0 <= part <= 255 and 1 <= parts <= 255 and 0 <= len(content) <= 480):
        raise LocalProtocolError("PART out of range", value)
    return _pack(">BLBBH", document, transfer, part, parts, len(content)) + content


def _take_part(data, at):
    document, transfer, part, parts, n = _part_0(data, at)
    at += 9
    if parts < 1 or n > 480:
        raise RemoteProtocolError("out_of_range", "PART")
    if at + n > len(data):
        raise RemoteProtocolError("truncated")
    content = bytes(data[at : at + n])
    at += n
    return Part((document, transfer, part, parts, content)), at


def unpack_part(data):
    try:
        value, _ = _take_part(data, 0)
    except SHORT:
        raise RemoteProtocolError("truncated") from None
    return value
