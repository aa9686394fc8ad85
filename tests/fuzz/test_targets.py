"""The fuzz targets without libFuzzer: each takes its seeds and what a clumsy hand makes of them, and a planted mistake is found."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest

from fuzz import decoders, fuzz
from fuzz.attacker import Attacker
from fuzz.target import Reader
from fuzz.targets import TARGETS
from strapline_protocol import definitions
from strapline_wire import frames, link, seal
from strapline_wire.arq import ReliableLink
from strapline_wire.errors import RemoteProtocolError
from strapline_wire.parts import Assembly

every_target = pytest.mark.parametrize("target", TARGETS.values(), ids=list(TARGETS))
FUZZ = Path(fuzz.__file__)


def clumsy(target):
    """The seeds, and what a clumsy hand makes of them."""
    draw = Random(target.name)
    attacker, seeds = Attacker(draw), list(target.seeds())
    take = target.build()
    for data in seeds:
        take(data)
    for at in range(600):
        if target.lives and at % target.lives == 0:
            take = target.build()
        data = draw.choice([seed for seed in seeds if len(seed) > 1])
        take(getattr(attacker, draw.choice(("flipped", "altered", "truncated", "extended", "spliced")))(data, seeds))


@every_target
def test_every_target_takes_its_seeds_and_what_a_clumsy_hand_makes_of_them(target):
    clumsy(target)


@every_target
def test_every_seed_fits_and_every_name_is_its_own(target):
    assert all(0 < len(seed) <= target.max_len for seed in target.seeds())
    assert TARGETS[target.name] is target


def test_the_shares_are_parts_of_a_thousand():
    assert sum(target.share for target in TARGETS.values()) == 1000


def test_every_frame_of_the_definitions_is_decoded_and_held_to_its_construct_definition():
    known = {decoder.name: decoder for decoder in decoders.decoders()}
    for frame in definitions.FRAMES:
        decoder = known[frame.kind.name]
        assert decoder.layout is frame.layout
        assert decoder.pack is not None
    assert {"HEADER", "ENVELOPE"} <= set(known)


def off_by_one(data):
    return frames.unpack_hello(data)._replace(nonce=bytes(8))


def too_patient(data):
    return frames.Fix((0,) * 9) if len(data) < frames.FIX_SIZE else frames.unpack_fix(data)


@pytest.mark.parametrize(("name", "wrong"), [("HELLO", off_by_one), ("FIX", too_patient)])
def test_a_decoder_that_reads_otherwise_than_construct_is_found(name, wrong):
    (decoder,) = [decoder for decoder in decoders.decoders() if decoder.name == name]
    draw = Random(name)
    broken = decoder._replace(unpack=wrong, pack=None)
    inputs = [draw.randbytes(draw.randrange(40)) for _ in range(1000)]
    with pytest.raises(AssertionError):
        [broken.check(data) for data in inputs]


def explodes_on(byte):
    def one(data):
        if byte in data:
            raise ZeroDivisionError
        raise RemoteProtocolError("forged")

    return one


def test_an_error_of_any_other_kind_is_a_crash(monkeypatch):
    monkeypatch.setattr(link, "decode", explodes_on(7))
    with pytest.raises(ZeroDivisionError):
        TARGETS["link"].build()(b"\x00\x07\x00")
    monkeypatch.setattr(seal, "peek", explodes_on(7))
    with pytest.raises(ZeroDivisionError):
        TARGETS["air"].build()(b"\x00\x00\x07")


def takes_all(self, content):
    self._peer, self._expected, self._owes = content[0], (content[2] >> 4) + 1 & 15, True
    return True


def holds_all(self, frame):
    self._queue.append(frame)


def gives_up_in_silence(self, now):
    if self._retry_at is not None and now >= self._retry_at:
        self._number_anew()


def acknowledges_whatever(self, content, now):
    count = (content[2] - self._base) & 15
    self._queue, self._base, self._sent = self._queue[count:], (self._base + count) & 15, self._sent - count
    self._next = max(0, self._next - count)


@pytest.mark.parametrize(
    ("method", "hole"),
    [
        ("_is_next", takes_all),
        ("send", holds_all),
        ("handle_timer", gives_up_in_silence),
        ("handle_timer", lambda *_: None),
        ("_acknowledge", acknowledges_whatever),
    ],
)
def test_a_link_with_a_hole_is_found_out(monkeypatch, method, hole):
    monkeypatch.setattr(ReliableLink, method, hole)
    with pytest.raises(AssertionError):
        clumsy(TARGETS["arq"])


def joins_as_they_came(self, part):
    self._parts[part.part] = part.content
    return None if len(self._parts) < part.parts else (part.document, b"".join(self._parts.values()))


def keeps_all(self, part):
    self._parts[part.transfer, part.part] = part.content


@pytest.mark.parametrize("hole", [joins_as_they_came, keeps_all])
def test_an_assembly_with_a_hole_is_found_out(monkeypatch, hole):
    monkeypatch.setattr(Assembly, "add", hole)
    with pytest.raises(AssertionError):
        clumsy(TARGETS["parts"])


def test_a_reader_that_is_used_up_gives_zeros_and_nothing():
    reader = Reader(b"\x01\x02\x03")
    assert (reader.number(2), len(reader), reader.number(2), reader.number(), reader.rest()) == (258, 1, 3, 0, b"")


# The runner.


@pytest.mark.parametrize("runs", [1, 999, 10_000_000])
def test_no_fewer_executions_are_shared_out_than_were_asked_for(tmp_path, runs):
    jobs = fuzz.jobs_of(list(TARGETS), runs, 1, tmp_path)
    assert {job.target.name for job in jobs} == set(TARGETS)
    assert sum(job.runs for job in jobs) >= runs
    assert len({job.folder for job in jobs}) == len({(job.target.name, job.seed) for job in jobs}) == len(jobs)


def run_fuzz(*arguments):
    return subprocess.run(
        [sys.executable, FUZZ, *arguments], capture_output=True, text=True, timeout=60, check=False, cwd=FUZZ.parents[2]
    )


def test_a_kept_crash_is_replayed_in_a_fresh_world(tmp_path):
    crash = tmp_path / "crash.json"
    crash.write_text(json.dumps({"target": "relay", "inputs": [seed.hex() for seed in TARGETS["relay"].seeds()]}))
    assert "no crash" in run_fuzz("--replay", crash).stdout
    (tmp_path / "air-1").mkdir()
    (tmp_path / "air-1" / "oom-0123").write_bytes(b"\x00\x00\x41")
    assert run_fuzz("--replay", tmp_path / "air-1" / "oom-0123").stdout == "air: 1 inputs, no crash\n"


@pytest.mark.parametrize("arguments", [["--runs", "0"], ["--runs", "x"], ["--replay", "nothing"], ["--target", "moon"]])
def test_a_mistake_at_the_keyboard_is_one_line(arguments):
    done = run_fuzz(*arguments)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1


def test_where_there_is_no_atheris_one_line_says_so():
    # A finder that hides atheris, whether it is installed or not.
    hidden = (
        "import runpy, sys, importlib.util as u; real = u.find_spec;"
        "u.find_spec = lambda name, *more: None if name == 'atheris' else real(name, *more);"
        f"sys.argv = [{str(FUZZ)!r}]; sys.path.insert(0, '');"
        f"runpy.run_path({str(FUZZ)!r}, run_name='__main__')"
    )
    done = subprocess.run([sys.executable, "-c", hidden], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("fuzz: atheris is not here")
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.skipif(importlib.util.find_spec("atheris") is None, reason="atheris is not here")
def test_libfuzzer_runs_a_target_and_counts():
    done = run_fuzz("--runs", "2000", "--target", "decoders", "--jobs", "1", "--out", "out/fuzz-test")
    told = json.loads(done.stdout.splitlines()[-1])
    assert (done.returncode, told["executions"], told["crashes"]) == (0, 2000, 0)
