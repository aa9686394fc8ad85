"""One scenario on two bodies, and the first frame in which they differ."""

import time
from collections.abc import Sequence
from typing import NamedTuple

from strapline_protocol.decode import Row
from strapline_simulator.chain import TAG
from strapline_simulator.conform.reading import Reader
from strapline_simulator.draw import tag_secret
from strapline_simulator.report import Report
from strapline_simulator.scenario import load_scenario
from strapline_simulator.simulation import Options, run_scenario
from strapline_simulator.taps import Passage

_COLUMN = 52
_NOTHING = [Row("way", "no frame: it has sent no more")]


class Comparison(NamedTuple):
    """What came of one scenario on two bodies."""

    bodies: tuple[str, str]
    frames: tuple[int, int]
    digests: tuple[str, str]
    told: tuple[str, ...]
    """The first difference, with the frame before it, as lines; empty where there is none."""
    wall_s: float = 0.0

    @property
    def same(self) -> bool:
        return not self.told


def compare(path: str, bodies: tuple[str, str], options: Options) -> Comparison:
    """Run a scenario on both, one after the other. Of `options`, `body` and `on_frame` do not count."""
    begun = time.perf_counter()
    scenario = load_scenario(path)
    heard: tuple[list[Passage], list[Passage]] = ([], [])
    reports: list[Report] = [
        run_scenario(scenario, options._replace(body=body, on_frame=passages.append)).report
        for body, passages in zip(bodies, heard, strict=True)
    ]
    secret = tag_secret(scenario.seed if options.seed is None else options.seed)
    told = difference(bodies, heard, secret)
    frames, digests = [report.frames.sent for report in reports], [report.frames_digest for report in reports]
    if not told and digests[0] != digests[1]:
        told = [f"the digests differ, and no frame does: {digests[0]} and {digests[1]}"]
    return Comparison(
        bodies, (frames[0], frames[1]), (digests[0], digests[1]), tuple(told), time.perf_counter() - begun
    )


def difference(bodies: Sequence[str], heard: tuple[list[Passage], list[Passage]], secret: bytes) -> list[str]:
    """The first frame that differs, side by side with each body's, and the frame before it; nothing where all are the same."""
    sent = [[at for at, passage in enumerate(passages) if passage.sent] for passages in heard]
    number = _first(*([_content(passages[at]) for at in found] for passages, found in zip(heard, sent, strict=True)))
    if number is None:
        return []
    lines = [f"frame {number + 1} differs:"]
    columns = []
    before: list[Row] = []
    for passages, found in zip(heard, sent, strict=True):
        reader = Reader(TAG, secret)
        end = found[number] if number < len(found) else len(passages)
        last = found[number - 1] if number else 0
        reader.follow(passages[:last])
        if number:
            before = [_when(passages[last]), *reader.read(passages[last])]
            reader.follow(passages[last + 1 : end])
        columns.append([_when(passages[end]), *reader.read(passages[end])] if end < len(passages) else _NOTHING)
    lines += ["", *_side_by_side(bodies, columns)]
    if before:
        lines += ["", f"frame {number}, the last that is the same:", ""]
        width = max(len(row.name) for row in before)
        lines += [f"  {row.name:<{width}}  {row.value}  {row.meaning}".rstrip() for row in before]
    return lines


def _content(passage: Passage) -> tuple[int | None, bytes]:
    return passage.bearer, passage.data


def _first(one: list[tuple[int | None, bytes]], other: list[tuple[int | None, bytes]]) -> int | None:
    for at, (a, b) in enumerate(zip(one, other, strict=False)):
        if a != b:
            return at
    return None if len(one) == len(other) else min(len(one), len(other))


def _when(passage: Passage) -> Row:
    return Row("time", f"{passage.t_s:.3f} s")


def _side_by_side(bodies: Sequence[str], columns: Sequence[Sequence[Row]]) -> list[str]:
    values = [{row.name: row for row in column} for column in columns]
    names = list(dict.fromkeys(row.name for column in columns for row in column))
    width = max(map(len, names))
    lines = [f"  {'':<{width}}  {bodies[0]:<{_COLUMN}}  {bodies[1]}"]
    for name in names:
        one, other = (_text(column.get(name)) for column in values)
        mark = " " if one == other else "*"
        lines.append(f"{mark} {name:<{width}}  {_cut(one):<{_COLUMN}}  {_cut(other)}".rstrip())
        meanings = [row.meaning if (row := column.get(name)) is not None else "" for column in values]
        if one != other and all(meanings) and meanings[0] != meanings[1]:
            lines.append(f"* {'':<{width}}  {_cut(meanings[0]):<{_COLUMN}}  {_cut(meanings[1])}".rstrip())
    return lines


def _text(row: Row | None) -> str:
    return "-" if row is None else row.value


def _cut(text: str) -> str:
    return text if len(text) <= _COLUMN else f"{text[: _COLUMN - 1]}…"
