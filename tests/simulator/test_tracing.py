"""What a run's trace holds of the lines: frames as the seal made them, and nothing of the link that carried them."""

from collections import Counter
from pathlib import Path

from strapline_simulator.scenario import load_scenario
from strapline_simulator.simulation import Options, run_scenario
from strapline_simulator.trace import read_trace
from strapline_wire import frames, seal

SMALLEST = {
    frames.HEARTBEAT: 24,
    frames.HELLO: 21,
    frames.WELCOME: 26,
    frames.REPLY: 23,
    frames.RECORD: 17 + seal.MIC_SIZE,
    frames.COMMAND: 17 + seal.MIC_SIZE,
}


def test_a_trace_holds_whole_frames_without_the_links_header_and_no_bare_acknowledgements(tmp_path: Path) -> None:
    report = run_scenario(load_scenario("strap-cut-away"), Options(body="model", folder=tmp_path)).report
    seen: set[bytes] = set()
    kinds: Counter[tuple[str, bool | None, int]] = Counter()
    for packet in read_trace(tmp_path / "trace.pcapng"):
        if packet.interface in ("air", "cellular"):
            kind, _pseudonym = seal.peek(packet.data)
            assert len(packet.data) >= SMALLEST[kind]
            assert packet.data not in seen, "on bearers that work nothing is sent twice"
            seen.add(packet.data)
            kinds[packet.interface, packet.inbound, kind] += 1
    for interface in ("air", "cellular"):
        assert kinds[interface, True, frames.HELLO] == kinds[interface, False, frames.WELCOME] > 0
        assert kinds[interface, True, frames.HELLO] == kinds[interface, True, frames.REPLY]
        assert kinds[interface, False, frames.COMMAND] > 0
    records = sum(kinds[interface, True, frames.RECORD] for interface in ("air", "cellular"))
    assert records >= report.ledger.received
    assert {(inbound, kind) for _, inbound, kind in kinds} == {
        (True, frames.HEARTBEAT),
        (True, frames.HELLO),
        (False, frames.WELCOME),
        (True, frames.REPLY),
        (True, frames.RECORD),
        (False, frames.COMMAND),
    }
