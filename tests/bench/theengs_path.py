"""TheengsGateway's own code, from an advertisement to a published message; run by the Python of an environment that has it.

Its `detection_callback` gets synthetic advertisements of a thermometer that it knows, as bleak would hand them over. It stores nothing
and publishes with QoS 0. Whoever runs it listens at the broker, and stops the time when the last message has come.
"""

import json
import resource
import struct
import sys
import time

from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData
from TheengsGateway.ble_gateway import Gateway
from TheengsGateway.config import DEFAULT_CONFIG

DEVICES = 50
ENVIRONMENTAL_SENSING = "0000181a-0000-1000-8000-00805f9b34fb"


def advertisement(number, count):
    """A thermometer in ATC's format: address, temperature, humidity, battery, voltage, counter."""
    address = bytes((0xA4, 0xC1, 0x38, 0, 0, number))
    data = address + struct.pack(">hBBHB", 200 + count % 100, 40, 90, 2900, count & 0xFF)
    name = ":".join(f"{octet:02X}" for octet in address)
    device = BLEDevice(name, f"ATC_{number:06X}", None)
    return device, AdvertisementData(f"ATC_{number:06X}", {}, {ENVIRONMENTAL_SENSING: data}, [], None, -60, ())


def cpu_s():
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def main(port, count):
    made = [advertisement(index % DEVICES, index) for index in range(count)]
    # As it comes, but without the announcements for Home Assistant, which are once a device.
    gateway = Gateway({**DEFAULT_CONFIG, "host": "127.0.0.1", "port": port, "discovery": False})
    gateway.connect_mqtt()
    gateway.client.loop_start()
    while not gateway.client.is_connected():
        time.sleep(0.01)
    print(json.dumps({"ready": True}), flush=True)
    sys.stdin.readline()
    began, before = time.monotonic(), cpu_s()
    for device, told in made:
        gateway.detection_callback(device, told)
    while gateway.client.want_write():
        time.sleep(0.001)
    print(json.dumps({"began": began, "cpu_s": cpu_s() - before}), flush=True)
    sys.stdin.readline()
    gateway.stopped = True
    gateway.disconnect_mqtt()
    gateway.client.loop_stop()


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
