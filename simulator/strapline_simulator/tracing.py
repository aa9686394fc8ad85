"""What of a chain goes into its trace."""

import json

from strapline_simulator.chain import Chain
from strapline_simulator.trace import TraceWriter
from strapline_wire import gatt, link

_SERVICE_DATA = gatt.SERVICE_DATA_UUID16.to_bytes(2, "little")


def trace_chain(chain: Chain, trace: TraceWriter) -> None:
    """Write the air, the cellular line and MQTT into the trace from now on. No key is in it."""
    up, down = link.Deframer(), link.Deframer()

    def on_advertisement(_t: float, _sender: str, _address: bytes, payload: bytes) -> None:
        at = payload.find(_SERVICE_DATA)
        trace.write("air", chain.utc().timestamp(), payload[at + 2 :], inbound=True)

    def on_cellular(inbound: bool, data: bytes) -> None:
        for frame in (up if inbound else down).feed(data):
            trace.write("cellular", chain.utc().timestamp(), frame, inbound=inbound)

    def on_mqtt(topic: str, payload: bytes) -> None:
        inbound = topic.split("/")[3] not in ("receipt", "command")
        trace.write("mqtt", chain.utc().timestamp(), topic.encode() + b"\0" + payload, inbound=inbound)

    def on_truth(_t: float, text: str) -> None:
        trace.write("truth", chain.utc().timestamp(), json.dumps({"what": text}).encode())

    chain.air.on_advertisement = on_advertisement
    chain.cellular.tap = on_cellular
    chain.on_mqtt = on_mqtt
    chain.on_truth = on_truth
