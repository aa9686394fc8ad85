"""Bare paho: publishes the payloads of a file with QoS 1 as fast as it gets PUBACKs, and says how long that took. Nothing is stored."""

import json
import resource
import socket
import sys
import threading
import time
from pathlib import Path

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

WINDOW = 100
"""As many without a PUBACK as the gateway's client allows itself."""


def main(port, path):
    messages = [json.loads(line) for line in Path(path).read_text(encoding="utf-8").splitlines()]
    messages = [(topic, payload.encode()) for topic, payload in messages]
    client = Client(CallbackAPIVersion.VERSION2, "bare", protocol=MQTTProtocolVersion.MQTTv5)
    client.max_queued_messages_set(0)
    client.max_inflight_messages_set(WINDOW)
    up, done, left = threading.Event(), threading.Event(), len(messages)
    client.on_connect = lambda *_details: up.set()
    # The same favour that the gateway's client does itself.
    client.on_socket_open = lambda _c, _u, sock: sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def acknowledged(*_details):
        nonlocal left
        left -= 1
        if not left:
            done.set()

    client.on_publish = acknowledged
    client.connect("127.0.0.1", port)
    client.loop_start()
    up.wait(10)
    began, before = time.monotonic(), cpu_s()
    for topic, payload in messages:
        client.publish(topic, payload, 1)
    if not done.wait(120):
        raise RuntimeError("the broker owes PUBACKs")
    seconds = time.monotonic() - began
    print(json.dumps({"seconds": seconds, "per_s": len(messages) / seconds, "cpu_s": cpu_s() - before}), flush=True)
    client.disconnect()
    client.loop_stop()


def cpu_s():
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
