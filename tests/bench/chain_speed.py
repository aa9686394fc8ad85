"""How fast a gateway is, from a TCP link through station and outbox to a real Mosquitto and back with the centre's receipts.

The gateway may use one core, as bare paho may that gets the same payloads; tags, broker and centre use what there is.
"""

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import venv
from collections import Counter
from contextlib import ExitStack, contextmanager
from pathlib import Path
from queue import SimpleQueue

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

HERE = Path(__file__).parent
START_LIMIT_S = 10.0
RUNS = 3
TAGS, RECORDS_EACH = 50, 100
ALARM_TAGS, ALARMS = 10, 200
LOAD_S = 10.0
"""For so long alarms come among history at half the rate that was measured before."""

THEENGS = "theengsgateway==1.8.0"


def cores():
    """(the gateway's core, those of all others: whatever it leaves)"""
    mine = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else [0]
    return mine[:1], mine


def pin(process, chosen):
    """Set a child on these cores, where the system can."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(process.pid, chosen)
    return process


class Child:
    """A process of ours that answers in JSON lines."""

    def __init__(self, command, chosen):
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._process = pin(process, chosen)

    def answer(self):
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"a part of the measurement has ended: {self._process.args}")
        return json.loads(line)

    def go(self):
        self._process.stdin.write("go\n")
        self._process.stdin.flush()

    def __enter__(self):
        return self

    def __exit__(self, *_error):
        self._process.stdin.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()


def part(name, chosen, **options):
    return Child([sys.executable, str(HERE / "chain_parts.py"), name, json.dumps(options)], chosen)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def mosquitto(folder, chosen):
    """A stock one on loopback, with room for a queue; gives its port."""
    program = shutil.which("mosquitto", path=os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin"]))
    if program is None:
        raise RuntimeError("no mosquitto on the PATH or in /usr/sbin; install it (Debian: apt install mosquitto)")
    port = free_port()
    settings = Path(folder) / "mosquitto.conf"
    limits = "max_queued_messages 100000\nmax_inflight_messages 1000\nlog_type none\n"
    settings.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\npersistence false\n{limits}")
    process = subprocess.Popen([program, "-c", settings], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    pin(process, chosen)
    try:
        deadline = time.monotonic() + START_LIMIT_S
        while time.monotonic() < deadline:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
            except OSError:
                time.sleep(0.01)
            else:
                break
        yield port
    finally:
        process.terminate()
        process.wait(10)


def run_chain(folder, *, tags, records_each, alarm_tags=0, alarms_each=0, rate=0, alarm_rate=0, profile=None):
    """One run; gives what the parts told. The payloads that the centre has had are in `folder/payloads` afterwards."""
    alone, others = cores()
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    expected = tags * records_each + alarm_tags * alarms_each
    common = {"tags": tags, "alarm_tags": alarm_tags, "folder": str(folder)}
    with ExitStack() as stack:
        port = stack.enter_context(mosquitto(folder, others))
        common["broker"] = f"mqtt://127.0.0.1:{port}?version=5"
        payloads = str(folder / "payloads")
        told = {"profile": f"{profile}.centre"} if profile else {}
        centre = stack.enter_context(part("centre", others, **common, payloads=payloads, **told))
        centre.answer()
        gateway = stack.enter_context(part("gateway", alone, **common, expected=expected, profile=profile))
        at = gateway.answer()["port"]
        load = {"records_each": records_each, "alarms_each": alarms_each, "rate": rate, "alarm_rate": alarm_rate}
        with part("tags", others, **common, port=at, **load) as sender:
            sender.answer()
            sender.go()
            sent = sender.answer()
            done = gateway.answer()
            sender.go()
            told = sender.answer()
        gateway.go()
        centre.go()
        seen = centre.answer()
    seconds = done["done"] - sent["began"]
    if seen["entries"] != expected:
        raise RuntimeError(f"the ledger has {seen['entries']} records of {expected}")
    arrived = {(source, sequence): at for source, sequence, at in seen["arrived"]}
    latencies = sorted(arrived[source, sequence] - at for source, sequence, at in told["times"])
    return {
        "per_s": expected / seconds,
        "seconds": seconds,
        "gateway_busy": done["cpu_s"] / seconds,
        "gateway_cpu_us": done["cpu_s"] / expected * 1e6,
        "duplicates": seen["duplicates"],
        "latencies_s": latencies,
        "centre_cpu_s": seen["cpu_s"],
        "tags_cpu_s": told["cpu_s"],
        "sent_s": sent["sent_s"],
    }


def run_paho(folder):
    """Bare paho with the payloads of `run_chain` in the same folder; the median of some runs."""
    alone, others = cores()
    command = [sys.executable, str(HERE / "bare_paho.py")]
    runs = []
    with mosquitto(folder, others) as port:
        for _ in range(RUNS):
            with Child([*command, str(port), str(Path(folder) / "payloads")], alone) as bare:
                runs.append(bare.answer())
    return sorted(runs, key=lambda run: run["per_s"])[RUNS // 2]


def theengs_python(folder):
    """The Python of a throw-away environment with TheengsGateway; it is no dependency of ours."""
    place = Path(folder) / "theengs"
    venv.create(place, with_pip=True)
    python = place / "bin/python"
    install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", THEENGS]
    subprocess.run(install, check=True, capture_output=True)
    return str(python)


def run_theengs(folder, python, count):
    """TheengsGateway's path, from the first advertisement to the last message at a subscriber; the median of some runs."""
    alone, others = cores()
    runs = []
    for _ in range(RUNS):
        with ExitStack() as stack:
            port = stack.enter_context(mosquitto(folder, others))
            last = stack.enter_context(listening(port, count))
            command = [python, str(HERE / "theengs_path.py"), str(port), str(count)]
            theirs = stack.enter_context(Child(command, alone))
            theirs.answer()
            theirs.go()
            told = theirs.answer()
            seconds = last.get(timeout=60) - told["began"]
            theirs.go()
        runs.append({"per_s": count / seconds, "cpu_us": told["cpu_s"] / count * 1e6})
    return sorted(runs, key=lambda run: run["per_s"])[RUNS // 2]


@contextmanager
def listening(port, count):
    """Gives a queue that has the moment at which the count-th message came."""
    client, last, up, seen = Client(CallbackAPIVersion.VERSION2, "listener"), SimpleQueue(), SimpleQueue(), Counter()

    def heard(_client, _userdata, message):
        seen["messages"] += "BTtoMQTT" in message.topic
        if seen["messages"] == count:
            last.put(time.monotonic())

    client.on_connect = lambda *_details: client.subscribe("home/#")
    client.on_subscribe = lambda *_details: up.put(True)
    client.on_message = heard
    client.connect("127.0.0.1", port)
    client.loop_start()
    up.get(timeout=10)
    try:
        yield last
    finally:
        client.disconnect()
        client.loop_stop()


def percentile(values, share):
    return values[min(len(values) - 1, int(share * len(values)))]


def chain_figures():
    """What `make bench` prints of it; raw figures."""
    with tempfile.TemporaryDirectory() as folder:
        flat_out = [run_chain(f"{folder}/flat-{run}", tags=TAGS, records_each=RECORDS_EACH) for run in range(RUNS)]
        whole = sorted(flat_out, key=lambda run: run["per_s"])[RUNS // 2]
        bare = run_paho(f"{folder}/flat-0")
        half = whole["per_s"] / 2
        alarms = {"alarm_tags": ALARM_TAGS, "alarms_each": ALARMS // ALARM_TAGS, "alarm_rate": ALARMS / LOAD_S}
        each = max(1, round(half * LOAD_S / TAGS))
        loaded = run_chain(f"{folder}/half", tags=TAGS, records_each=each, rate=half, **alarms)
        try:
            theirs = run_theengs(folder, theengs_python(folder), TAGS * RECORDS_EACH)
        except (OSError, subprocess.CalledProcessError) as error:
            theirs = {"error": f"no TheengsGateway to compare with: {error}"}
    loaded["history_per_s"] = half
    bare["cpu_us"] = bare["cpu_s"] / (TAGS * RECORDS_EACH) * 1e6
    return {"whole": whole, "bare": bare, "loaded": loaded, "theengs": theirs}


if __name__ == "__main__":
    if len(sys.argv) == 1:
        figures = chain_figures()
        latencies = figures["loaded"]["latencies_s"]
        figures["alarm_ms"] = {name: percentile(latencies, at) * 1000 for name, at in (("p50", 0.5), ("p99", 0.99))}
        for one in figures.values():
            one.pop("latencies_s", None)
        print(json.dumps(figures, indent=1))
    else:
        with tempfile.TemporaryDirectory() as where:
            tags, each, *profile = sys.argv[1:]
            result = run_chain(where, tags=int(tags), records_each=int(each), profile=profile[0] if profile else None)
        del result["latencies_s"]
        print(json.dumps(result, indent=1))
