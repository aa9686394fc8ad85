"""What claims need that no ledger holds: when the tag was on the air and under which address, and whether an export reads back."""

import asyncio
import tempfile
from collections.abc import Iterable
from pathlib import Path

from strapline_centre.export import load as load_export
from strapline_centre.export import read, rows_of, verify, write_jsonl
from strapline_centre.ledger import Ledger
from strapline_protocol.keys import CentreKeys
from strapline_simulator.chain import Chain
from strapline_simulator.report import utc_text
from strapline_simulator.scenario import Scenario


class Witness:
    """Of one run. It sees what the scenario claims something about, and nothing else."""

    def __init__(self, scenario: Scenario) -> None:
        claims = {expectation.claim for expectation in scenario.expect}
        self._watches_air = bool(claims & {"heartbeats", "same_address"})
        self._exports = "exported" in claims
        self._start = scenario.start
        self.heard: list[tuple[float, bytes]] = []
        """Each advertisement of the tag: seconds since the scenario's start, address."""
        self.exported = False

    def watch(self, chain: Chain) -> None:
        """From now on; before the scenario is played."""
        if not self._watches_air:
            return
        carry = chain.tag.on_advertise

        def advertise(address: bytes, data: bytes) -> None:
            self.heard.append((asyncio.get_running_loop().time() - chain.clocks.origin_s, bytes(address)))
            carry(address, data)

        chain.tag.on_advertise = advertise

    def conclude(self, ledger: Ledger, keys: Iterable[CentreKeys]) -> None:
        """While the ledger is open."""
        if self._exports:
            self.exported = _reads_back(ledger, keys, utc_text(self._start))


def _reads_back(ledger: Ledger, keys: Iterable[CentreKeys], made_utc: str) -> bool:
    """Written as JSON Lines, read into an empty ledger: the same rows, and the seals open with what the rows say."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "export.jsonl"
        write_jsonl(ledger.database, path, made_utc)
        other = Ledger()
        try:
            load_export(other.database, read(path))
            same = list(rows_of(other.database)) == list(rows_of(ledger.database))
        finally:
            other.close()
        checked = verify(read(path), keys)
    return same and checked.opened > 0 and not checked.wrong and not checked.unknown
