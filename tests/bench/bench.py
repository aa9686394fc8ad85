"""Measures this machine and writes out/bench.json: `{"name": {"value", "unit", "goal", "holds", "baseline"}}`.

`goal` is text such as "<= 40960" or null, `holds` says whether the value keeps it, and `baseline` names what the value is to be compared
with and what that measured in this same run, or null. Quote ratios: machines differ and are noisy.
"""

import json
import struct
import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table

from strapline_simulator import bodies
from strapline_simulator.bodies import MicropythonBody
from strapline_simulator.scenario import load_scenario
from strapline_simulator.simulation import Options, run_scenario
from strapline_tag import bench as messages

DEMO = "night-and-day"
RUNS = 3
SAMPLE_EVERY = 200
"""Requests between two looks at the heap; a look collects garbage first, so it sees what is alive."""


class WatchedBody(MicropythonBody):
    """A MicroPython body whose heap is looked at as it runs."""

    peak = 0

    def __init__(self):
        super().__init__()
        self._requests = 0

    def request(self, message):
        answers = super().request(message)
        self._requests += 1
        if self._requests % SAMPLE_EVERY == 0:
            now = message[1:9]
            measured = super().request(struct.pack(">B", messages.MEASURE) + now)
            WatchedBody.peak = max(WatchedBody.peak, json.loads(measured[0][9:])["heap_used"])
        return answers


def speed(body):
    """Simulated seconds per wall second of the demo, the median of some runs."""
    scenario = load_scenario(DEMO)
    rates = []
    for _ in range(RUNS):
        report = run_scenario(scenario, Options(body=body)).report
        rates.append(report.simulated_s / report.wall_s)
    return sorted(rates)[len(rates) // 2]


def heap_peak():
    """Bytes alive at most during the demo."""
    bodies.BODIES["watched"] = WatchedBody
    run_scenario(load_scenario(DEMO), Options(body="watched"))
    return WatchedBody.peak


def smallest_heap():
    """The smallest heap, to one KiB, in which the demo still gives the same frames."""
    scenario = load_scenario(DEMO)
    wanted = run_scenario(scenario, Options(body="model")).report.frames_digest

    def suffices(kib):
        bodies.BODIES["small"] = lambda: MicropythonBody(heap_size=f"{kib}k")
        try:
            return run_scenario(scenario, Options(body="small")).report.frames_digest == wanted
        except bodies.BodyError:
            return False

    low, high = 32, 192
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if suffices(middle) else (middle, high)
    return high * 1024


def mpy_total():
    """Bytes of all compiled firmware files, the bench program left out."""
    body = MicropythonBody()
    body.close()
    return body.mpy_total_bytes


def entry(value, unit, goal=None, holds=None, baseline=None):
    return {"value": value, "unit": unit, "goal": goal, "holds": holds, "baseline": baseline}


def measure(tell):
    tell("demo on model")
    model = round(speed("model"))
    tell("demo on micropython")
    real = round(speed("micropython"))
    tell("heap")
    peak = heap_peak()
    tell("smallest heap")
    smallest = smallest_heap()
    size = mpy_total()
    return {
        "demo_simulated_s_per_wall_s": entry(real, "s/s", baseline={"name": "the same on model", "value": model}),
        "demo_simulated_s_per_wall_s_model": entry(model, "s/s"),
        "heap_peak_bytes": entry(
            peak, "B", "<= 196608", peak <= 196608, {"name": "heap given (-X heapsize=192k)", "value": 196608}
        ),
        "heap_smallest_bytes": entry(smallest, "B", "<= 196608", smallest <= 196608),
        "mpy_total_bytes": entry(size, "B", "<= 40960", size <= 40960),
    }


def main():
    console = Console(highlight=False, width=max(120, Console().width))
    with console.status("measuring") as status:
        figures = measure(lambda what: status.update(f"measuring: {what}"))
    table = Table(box=None)
    for heading in ("name", "value", "unit", "goal", "holds", "baseline"):
        table.add_column(heading)
    for name, figure in figures.items():
        baseline = figure["baseline"]
        told = (
            f"{baseline['name']}: {baseline['value']} ({figure['value'] / baseline['value']:.2f} x)" if baseline else ""
        )
        holds = {True: "yes", False: "NO", None: ""}[figure["holds"]]
        table.add_row(name, str(figure["value"]), figure["unit"], figure["goal"] or "", holds, told)
    console.print(table)
    out = Path("out/bench.json")
    out.parent.mkdir(exist_ok=True)
    out.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    console.print(f"wrote {out}")
    return 0 if all(figure["holds"] is not False for figure in figures.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
