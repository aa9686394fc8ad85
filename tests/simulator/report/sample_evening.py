"""A made-up run of 26 hours: armed at home, a day at work, and a strap cut at 23:40."""

import math
import random
from datetime import UTC, datetime

from strapline_simulator.report import (
    Event,
    Expectation,
    Frames,
    GatewayNotice,
    Heap,
    Ledger,
    Position,
    RaisedAlert,
    Report,
    Story,
    latency_summary,
    utc_text,
)

# 22:15 in Amsterdam.
START = datetime(2026, 1, 12, 21, 15, tzinfo=UTC)
END_S = 26 * 3600.0
HOME, WORK = (52.0907, 5.1214), (52.0652, 5.1620)
TAG = "tag-1"


def at(clock: str, day: int = 1) -> float:
    """Seconds since the start of a local time of day; day 0 is the first evening."""
    hour, minute, second = (int(part) for part in (clock + ":00").split(":")[:3])
    return (hour * 3600 + minute * 60 + second) + day * 86400.0 - (22 * 3600 + 15 * 60)


LEAVE, ARRIVE_WORK, LEAVE_WORK, ARRIVE = at("07:31"), at("08:00"), at("17:00"), at("17:29")
CUT = at("23:40")

_WAY = [
    HOME,
    (52.0899, 5.1262),
    (52.0861, 5.1268),
    (52.0838, 5.1345),
    (52.0779, 5.1352),
    (52.0752, 5.1450),
    (52.0717, 5.1461),
    (52.0699, 5.1575),
    WORK,
]


def _track() -> list[tuple[float, float, float]]:
    def leg(start_s: float, end_s: float, way: list[tuple[float, float]]) -> list[tuple[float, float, float]]:
        found = []
        for i in range(241):
            share = i / 240 * (len(way) - 1)
            corner = min(int(share), len(way) - 2)
            (lat0, lon0), (lat1, lon1) = way[corner], way[corner + 1]
            part = share - corner
            found.append(
                (start_s + (end_s - start_s) * i / 240, lat0 + part * (lat1 - lat0), lon0 + part * (lon1 - lon0))
            )
        return found

    return [
        (0.0, *HOME),
        *leg(LEAVE, ARRIVE_WORK, _WAY),
        *leg(LEAVE_WORK, ARRIVE, _WAY[::-1]),
        (END_S, *HOME),
    ]


def _where(t_s: float) -> str:
    if ARRIVE_WORK <= t_s < LEAVE_WORK:
        return "work"
    return "out" if LEAVE <= t_s < ARRIVE else "home"


def story() -> Story:
    """The story; the same every time."""
    dice = random.Random(7)
    skin, ambient, strap = [], [], []
    outward = 21.0
    inward = 33.4
    for i in range(0, int(END_S), 30):
        t_s = float(i)
        target = {"home": 21.0, "work": 20.2, "out": 3.5}[_where(t_s)]
        outward += (target - outward) * 30 / 420
        worn = {"home": 33.6, "work": 33.1, "out": 31.2}[_where(t_s)] + 0.5 * math.sin(t_s / 9000)
        inward += ((worn if t_s < CUT else outward) - inward) * 30 / 600
        skin.append((t_s, round(inward + dice.gauss(0, 0.05), 2)))
        ambient.append((t_s, round(outward + 3.2 + dice.gauss(0, 0.08), 2)))
        strap.append((t_s, None if t_s >= CUT else round(1_005 + 1.4 * (outward - 20) + dice.gauss(0, 0.8), 1)))
    heard = [
        (t_s, max(-101.0, min(-38.0, -63 + 7 * math.sin(t_s / 2600) + dice.gauss(0, 4))))
        for t_s in (float(i) for i in range(0, int(END_S), 20))
        if not LEAVE + 70 <= t_s < ARRIVE - 60
    ]
    return Story(
        start_utc=START,
        tz_name="Europe/Amsterdam",
        skin_c=skin,
        ambient_c=ambient,
        strap_ohm=strap,
        states=[
            (0.0, at("22:20", 0), "dormant"),
            (at("22:20", 0), LEAVE + 95, "home"),
            (LEAVE + 95, ARRIVE - 40, "away"),
            (ARRIVE - 40, CUT, "home"),
            (CUT, END_S, "violation"),
        ],
        truths=[
            (at("22:16", 0), "tag put on"),
            (LEAVE, "leaves home"),
            (ARRIVE_WORK, "arrives at work"),
            (LEAVE_WORK, "leaves work"),
            (ARRIVE, "arrives home"),
            (CUT, "strap cut"),
        ],
        track=_track(),
        places=[("Home", *HOME, 120.0), ("Work", *WORK, 200.0)],
        alerts=[
            (CUT + 0.41, "strap_open", "the strap is open"),
            (CUT + 262.6, "removed", "the tag is off the body: strap and heat agree"),
        ],
        alarm_latencies=[("strap_open", CUT, 0.41), ("removed", CUT + 262, 0.63)],
        heard=heard,
    )


def report(*, passed: bool = True) -> Report:
    """The report; with `passed=False`, one expectation is not met and one record is missing."""
    dice = random.Random(11)
    ticks = [
        (at("22:20", 0), "armed"),
        (at("22:17", 0), "started"),
        (at("03:12"), "beacon"),
        (at("05:40"), "beacon"),
    ]
    instant = [(t_s, code, t_s + 0.19, t_s + 0.3 + dice.random() / 5) for t_s, code in ticks]
    events = [
        *instant,
        (LEAVE + 95, "left_home", None, LEAVE + 96.8),
        (at("08:01:10"), "beacon", None, at("08:01:13")),
        (at("12:30"), "no_fix", None, at("12:30:02")),
        (at("12:52"), "no_fix", None, at("12:52:02")),
        (at("17:00:40"), "beacon", None, at("17:00:42")),
        (ARRIVE - 40, "came_home", ARRIVE - 39.7, ARRIVE - 39.5),
        (at("21:05"), "beacon", at("21:05") + 0.2, at("21:05") + 0.4),
        (CUT, "strap_open", CUT + 0.12, CUT + 0.41),
        (CUT + 262, "removed", CUT + 262.2, CUT + 262.63),
        (END_S - 0.2, "beacon", END_S - 0.1, None),
    ]
    path = _track()
    positions = []
    for i in range(int((ARRIVE - LEAVE) / 180)):
        t_s = LEAVE + 120 + i * 180.0
        _, lat_deg, lon_deg = max((p for p in path if p[0] <= t_s), key=lambda p: p[0])
        accuracy = round(dice.uniform(4, 12) if _where(t_s) == "out" else dice.uniform(15, 60), 1)
        positions.append(
            Position(
                t_s=t_s,
                utc=utc_text(datetime.fromtimestamp(START.timestamp() + t_s, UTC)),
                lat_deg=round(lat_deg + dice.gauss(0, accuracy / 1.6) / 111_195, 6),
                lon_deg=round(lon_deg + dice.gauss(0, accuracy / 1.6) / 68_300, 6),
                accuracy_m=accuracy,
            )
        )
    return Report(
        scenario="evening",
        title="A day at work, and a strap cut in the evening",
        seed=7,
        body="micropython",
        broker="in-process (MQTT 3.1.1)",
        start_utc=utc_text(START),
        simulated_s=END_S,
        wall_s=3.42,
        expectations=(
            Expectation(text="the centre learns that the tag is armed within 10 s", passed=True, latency_s=0.41),
            Expectation(text="leaving home is reported within 5 min", passed=True, latency_s=96.8),
            Expectation(text="the strap alarm reaches the centre within 2 s", passed=True, latency_s=0.41),
            Expectation(
                text="the skin alarm reaches the centre within 10 min of the cut", passed=True, latency_s=262.63
            ),
            Expectation(text="no record is lost", passed=passed, latency_s=None),
        ),
        events=tuple(Event(t_s=t, tag=TAG, code=c, at_gateway_s=g, at_centre_s=z) for t, c, g, z in events),
        positions=tuple(positions),
        alerts=(
            RaisedAlert(
                subject=TAG,
                code="strap_open",
                text="the strap is open",
                raised_s=at("23:40"),
                over_s=None,
                acknowledged_s=at("23:52"),
                times=2,
            ),
        ),
        notices=(GatewayNotice(gateway="home", code="started", at_centre_s=0.5, detail={}),),
        frames=Frames(sent=4961, accepted=2899, rejected={"stale": 3, "replayed": 1}),
        frames_digest="sha256:" + "5e7a" * 16,
        ledger=Ledger(received=213, duplicates_dropped=4, missing=0 if passed else 1, tombstoned=0),
        alarm_latency_s=latency_summary([0.41, 0.63]),
        heap=Heap(loaded_bytes=38_000, peak_bytes=117_000, first_day_bytes=116_000, least_block_bytes=52_000),
    )
