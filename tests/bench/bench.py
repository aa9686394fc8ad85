"""Measures this machine, prints JSON and keeps it in out/bench.json: `{"name": {"value", "unit", "goal", "holds", "baseline"}}`.

`goal` is text such as "<= 40960" or null, `holds` says whether the value keeps it, and `baseline` names what the value is to be compared
with and what that measured in this same run, or null. Quote ratios: machines differ and are noisy.
"""

import json
import struct
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import protocol_speed
from chain_rows import chain_rows
from fleet_speed import fleet_speed
from gateway_scale import gateway_scale
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


def protocol():
    """Codec, seals and link. The codec's two goals are for all frames of fixed size together; those with lists and texts stand beside."""
    frames = protocol_speed.codec()
    fixed = [name for name in frames if protocol_speed.is_fixed(protocol_speed.LAYOUTS[name])]
    varying = [name for name in frames if name not in fixed]

    def total(operation, names):
        return sum(frames[name][operation] for name in names)

    def ratio(of, to, names):
        return round(total(of, names) / total(to, names), 2)

    figures = {}
    for operation in ("decode", "encode"):
        slower, taken = ratio(f"{operation}_construct", operation, fixed), round(total(operation, fixed))
        told = {
            "name": "construct interpreted, ns for all fixed frames",
            "value": round(total(f"{operation}_construct", fixed)),
        }
        is_goal = operation == "decode"
        figures[f"{operation}_vs_construct"] = entry(
            slower, "x", ">= 40" if is_goal else None, slower >= 40 if is_goal else None, told
        )
        times = ratio(operation, f"{operation}_struct", fixed)
        told = {"name": "bare struct, ns for all fixed frames", "value": round(total(f"{operation}_struct", fixed))}
        figures[f"{operation}_vs_struct"] = entry(
            times, "x", "<= 2" if is_goal else None, times <= 2 if is_goal else None, told
        )
        compiled = ratio(f"{operation}_construct_compiled", operation, fixed)
        figures[f"{operation}_vs_construct_compiled"] = entry(compiled, "x")
        figures[f"{operation}_all_fixed_frames_ns"] = entry(taken, "ns")
        figures[f"{operation}_lists_vs_construct"] = entry(ratio(f"{operation}_construct", operation, varying), "x")
        figures[f"{operation}_lists_vs_struct"] = entry(ratio(operation, f"{operation}_struct", varying), "x")
    for name, taken in frames.items():
        for operation in ("decode", "encode"):
            told = {"name": "bare struct", "value": round(taken[f"{operation}_struct"])}
            figures[f"{operation}_{name.lower()}_ns"] = entry(round(taken[operation]), "ns", baseline=told) | {
                "construct_ns": round(taken[f"{operation}_construct"]),
                "construct_compiled_ns": round(taken[f"{operation}_construct_compiled"]),
            }
    sealed = protocol_speed.sealing(24)
    bare = sealed["bare_encrypt"] + sealed["bare_decrypt"]
    told = {"name": "two bare cryptography calls, 24 bytes, ns", "value": round(bare)}
    record = round((sealed["seal_record"] + sealed["open_record"]) / bare, 2)
    frame = round((sealed["seal_frame"] + sealed["open_frame"]) / bare, 2)
    figures["seal_open_vs_cryptography"] = entry(record, "x", "<= 1.5", record <= 1.5, told)
    figures["frame_seal_open_vs_cryptography"] = entry(
        frame, "x", None, None, told
    )  # two AES blocks more: the counter's mask
    for size in (24, 540):
        figures[f"link_frames_per_s_{size}_bytes"] = entry(round(protocol_speed.link_frames_per_s(size)), "frames/s")
    return figures


def measure(tell):
    tell("protocol")
    of_protocol = protocol()
    tell("gateway: from TCP to the receipt")
    of_gateway = chain_rows()
    tell("gateway with ten thousand tags")
    of_gateway |= gateway_scale()
    tell("a fleet in one process")
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:  # a heap that no other measurement has churned
        of_fleet = pool.submit(fleet_speed).result()
    tell("demo on model")
    model = round(speed("model"))
    tell("demo on micropython")
    real = round(speed("micropython"))
    tell("heap")
    peak = heap_peak()
    tell("smallest heap")
    smallest = smallest_heap()
    size = mpy_total()
    return (
        of_protocol
        | of_gateway
        | of_fleet
        | {
            "demo_simulated_s_per_wall_s": entry(real, "s/s", baseline={"name": "the same on model", "value": model}),
            "demo_simulated_s_per_wall_s_model": entry(model, "s/s"),
            "heap_peak_bytes": entry(
                peak, "B", "<= 196608", peak <= 196608, {"name": "heap given (-X heapsize=192k)", "value": 196608}
            ),
            "heap_smallest_bytes": entry(smallest, "B", "<= 196608", smallest <= 196608),
            "mpy_total_bytes": entry(size, "B", "<= 40960", size <= 40960),
        }
    )


def main():
    console = Console(highlight=False, width=max(120, Console().width), stderr=True)
    with console.status("measuring") as status:
        figures = measure(lambda what: status.update(f"measuring: {what}"))
    table = Table(box=None)
    for heading in ("name", "value", "unit", "goal", "holds", "baseline"):
        table.add_column(heading)
    for name, figure in figures.items():
        if "construct_ns" in figure:
            continue  # one frame's own: in the JSON
        baseline = figure["baseline"]
        told = f"{baseline['name']}: {baseline['value']}" if baseline else ""
        if baseline and baseline["value"] and figure["unit"] not in ("x", "ms"):
            told += f" ({figure['value'] / baseline['value']:.2f} x)"
        holds = {True: "yes", False: "NO", None: ""}[figure["holds"]]
        table.add_row(name, str(figure["value"]), figure["unit"], figure["goal"] or "", holds, told)
    console.print(table)
    out = Path("out/bench.json")
    out.parent.mkdir(exist_ok=True)
    out.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(figures))
    console.print(f"wrote {out}")
    return 0 if all(figure["holds"] is not False for figure in figures.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
