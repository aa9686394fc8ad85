# Where the wearer is to stay, and what to stay away from: the zones of the centre's document against positions and their accuracy.
#
# Angles and distances are in 1e-7 degree; of latitude 90 of them are a metre. A polygon's edges are straight in degrees, as in RFC 7946,
# so whether a point lies inside is exact; distances are equirectangular with the cosine of the place. The document stays packed.
from struct import unpack_from

from strapline_tag.nmea import UNKNOWN, root
from strapline_wire import documents, frames
from strapline_wire.compat import SHORT, const

METRE = const(90)
_HEAD = const(5)  # bytes of the document before its zones
_ZONE = ">HBHLB"  # id, rule, tolerance in m, radius in m, number of corners
_ZONE_SIZE = const(10)
_CORNER = ">ll"
_CORNER_SIZE = const(8)
_ZONES_LIMIT = const(32)
_HALF_TURN = const(1_800_000_000)
_TURN = const(3_600_000_000)
_LAT_LIMIT = const(850_000_000)  # nearer to a pole a degree of longitude is no measure of anything
_UNKNOWN_DM = const(1000)  # what a position without an accuracy is taken to have


class Zones:
    # tell(code, now, detail): an event. One writer of situation.zone_broken.
    def __init__(self, config, situation, memory, tell):
        self._config = config
        self._situation = situation
        self._memory = memory
        self._tell = tell
        document = memory.read("zones")
        self._hold(b"" if _refusal(document) else document, memory.get("zones_broken", 0))

    def _hold(self, document: bytes, broken: int) -> None:
        self._document = document
        self.points = bytearray(_ZONES_LIMIT)  # in a row that speak against what holds, for each zone
        self._broken = broken  # bit i: the zone at place i
        self._situation.zone_broken = broken != 0

    def arm(self) -> None:
        # What was before does not count: where it still is broken, the next positions say so.
        if self._broken:
            self._memory.put("zones_broken", 0)
            self._hold(self._document, 0)

    def obey(self, now: int, document: bytes) -> int:
        # A new document; what was broken is judged anew under it. Gives a refusal reason, or 0.
        refusal = _refusal(document)
        if not refusal:
            if document != self._document:
                if self._document and document[:4] <= self._document[:4]:
                    return frames.REFUSAL_OLD_REVISION
                self.arm()  # first: a power cut must not find another document's broken zones
                self._memory.write("zones", document)
                self._hold(document, 0)
            self._tell(frames.EVENT_APPLIED, now, frames.ZONES << 24 | int.from_bytes(document[1:4], "big"))
        return refusal

    def judge(self, now: int, position=None) -> None:
        # A position; None is home, where every zone is kept.
        doubt = blur(position) if position else 0
        sure = max(3 * doubt, self._config.zone_sure_m * METRE)
        document = self._document
        at = _HEAD
        for place in range(document[4] if document else 0):
            zone, rule, tolerance, radius, corners = unpack_from(_ZONE, document, at)
            end = at + _ZONE_SIZE + corners * _CORNER_SIZE
            beyond = -sure - 1
            if position:
                tolerance *= METRE
                radius *= METRE
                beyond = _beyond(document, end, corners, radius, position, tolerance + sure + 1) - tolerance
                if rule:
                    beyond = -beyond
            at = end
            # What lies within the position's own accuracy of the edge speaks neither for nor against: jitter there adds up to nothing.
            broken = self._broken >> place & 1
            if broken:
                beyond = -beyond
            points = self.points[place]
            if beyond > doubt:
                points += 1
            elif beyond <= -doubt:
                points = 0
            if points >= self._config.zone_points or beyond > sure:
                self._broken ^= 1 << place
                self._tell(frames.EVENT_ZONE_KEPT if broken else frames.EVENT_ZONE_BROKEN, now, zone)
                self._memory.put("zones_broken", self._broken)
                points = 0
            self.points[place] = points
        self._situation.zone_broken = self._broken != 0


def _refusal(document: bytes) -> int:
    # Why it cannot be taken, or 0. What follows its zones is a newer centre's.
    refusal = 0
    try:
        if document[4] > _ZONES_LIMIT:
            refusal = frames.REFUSAL_OUT_OF_RANGE
        at = _HEAD
        for _ in range(document[4]):
            _, rule, _, radius, corners = unpack_from(_ZONE, document, at)
            end = at + _ZONE_SIZE + corners * _CORNER_SIZE
            if rule > documents.RULE_STAY_OUT or (corners != 1 if radius else corners < 3):
                refusal = frames.REFUSAL_OUT_OF_RANGE
            for corner in range(at + _ZONE_SIZE, end, _CORNER_SIZE):
                lat, lon = unpack_from(_CORNER, document, corner)
                if abs(lat) > _LAT_LIMIT or abs(lon) > _HALF_TURN:
                    refusal = frames.REFUSAL_OUT_OF_RANGE
            at = end
    except (IndexError, SHORT):
        return frames.REFUSAL_MALFORMED
    return refusal


def blur(position) -> int:
    # By how much it may be wrong.
    accuracy_dm = position.accuracy_dm
    return (_UNKNOWN_DM if accuracy_dm == UNKNOWN else accuracy_dm) * 9


def cosine(angle: int) -> int:
    # Of up to a right angle, times 2 ** 14, by its series.
    radians = angle * 1024 // 35809861  # times 2 ** 14: a radian is 572957795 of these units
    square = radians * radians >> 14
    value = 16384
    for divisor in (56, 30, 12, 2):
        value = 16384 - (square * value >> 14) // divisor
    return value


def wrapped(lon: int) -> int:
    # The shorter way around the earth.
    return lon - _TURN if lon > _HALF_TURN else lon + _TURN if lon < -_HALF_TURN else lon


def distance(lat: int, lon: int, other_lat: int, other_lon: int) -> int:
    y = other_lat - lat
    x = wrapped(other_lon - lon) * cosine(lat + y // 2) >> 14
    return root(x * x + y * y)


def _beyond(document: bytes, end: int, corners: int, radius: int, position, reach: int) -> int:
    # How far the position lies outside of the circle or polygon; negative inside. Nobody asks for more than `reach`.
    lat = position.lat_e7
    lon = position.lon_e7
    y0, x0 = unpack_from(_CORNER, document, end - _CORNER_SIZE)
    if radius:
        return distance(lat, lon, y0, x0) - radius
    scale = max(cosine(lat), 1)
    reach_x = (reach << 14) // scale
    y0 -= lat
    x0 = wrapped(x0 - lon)
    nearest = reach * reach
    inside = False
    for at in range(end - corners * _CORNER_SIZE, end, _CORNER_SIZE):
        y1, x1 = unpack_from(_CORNER, document, at)
        y1 -= lat
        x1 = x0 + wrapped(x1 - lon - x0)
        # Does the edge cross the ray that goes east from the point? Products only where nothing simpler tells.
        if (y0 > 0) != (y1 > 0) and (x0 > 0 or x1 > 0):
            if (x0 > 0 and x1 > 0) or (x0 * (y1 - y0) > y0 * (x1 - x0)) == (y1 > y0):
                inside = not inside
        if min(x0, x1) < reach_x and max(x0, x1) > -reach_x and min(y0, y1) < reach and max(y0, y1) > -reach:
            nearest = min(nearest, _to_edge(x0 * scale >> 14, y0, x1 * scale >> 14, y1))
        x0 = x1
        y0 = y1
    return -root(nearest) if inside else root(nearest)


def _to_edge(x0: int, y0: int, x1: int, y1: int) -> int:
    # The square of the distance from the origin.
    x = x1 - x0
    y = y1 - y0
    along = -x0 * x - y0 * y
    length = x * x + y * y
    if along <= 0:
        return x0 * x0 + y0 * y0
    if along >= length:
        return x1 * x1 + y1 * y1
    across = x0 * y - y0 * x
    return across * across // length
