"""What of a chain goes into its trace."""

import json
from collections.abc import Callable

from strapline_protocol import contract
from strapline_protocol.cipher import HostCipher
from strapline_simulator.chain import Chain
from strapline_simulator.trace import TraceWriter
from strapline_wire import frames, gatt, link, seal
from strapline_wire.errors import RemoteProtocolError
from strapline_wire.keys import derive
from strapline_wire.replay import ReplayWindow

_SERVICE_DATA = gatt.SERVICE_DATA_UUID16.to_bytes(2, "little")


def trace_chain(chain: Chain, trace: TraceWriter) -> None:
    """Write the air, the cellular line, MQTT and what they say into the trace from now on. No key is in it."""
    reader = _Reader(chain.test_secret)

    def opened(body: bytes | None) -> None:
        if body is not None:
            trace.write("opened", chain.utc().timestamp(), body, inbound=True)

    def on_advertisement(_t: float, _sender: str, _address: bytes, payload: bytes) -> None:
        at = payload.find(_SERVICE_DATA)
        trace.write("air", chain.utc().timestamp(), payload[at + 2 :], inbound=True)
        opened(reader.heartbeat(payload[at + 2 :]))

    def frames_of(interface: str) -> Callable[[bool, bytes], None]:
        deframers = {True: link.Deframer(), False: link.Deframer()}

        def on_bytes(inbound: bool, data: bytes) -> None:
            for content in deframers[inbound].feed(data):
                if frame := content[link.HEADER_SIZE :]:  # else a bare acknowledgement
                    trace.write(interface, chain.utc().timestamp(), frame, inbound=inbound)

        return on_bytes

    def on_mqtt(topic: str, payload: bytes) -> None:
        channel = contract.parse_topic(topic).channel
        inbound = channel not in ("receipt", "command")
        trace.write("mqtt", chain.utc().timestamp(), topic.encode() + b"\0" + payload, inbound=inbound)
        if channel in ("event", "position"):
            opened(reader.record(json.loads(payload)["data"]))

    def on_truth(_t: float, text: str) -> None:
        trace.write("truth", chain.utc().timestamp(), json.dumps({"what": text}).encode())

    chain.air.on_advertisement = on_advertisement
    chain.on_gatt = frames_of("air")
    chain.cellular.tap = frames_of("cellular")
    chain.on_mqtt = on_mqtt
    chain.on_truth = on_truth


class _Reader:
    """Opens what the simulation's own test key opens, for the trace's readers."""

    def __init__(self, secret: bytes) -> None:
        self._broadcast = HostCipher(derive(secret, "broadcast"))
        self._header = HostCipher(derive(secret, "header"))
        self._end_to_end = HostCipher(derive(secret, "end-to-end"))

    def heartbeat(self, frame: bytes) -> bytes | None:
        try:
            _, body = seal.open_frame(frame, self._broadcast, self._header, seal.UP, ReplayWindow())
        except RemoteProtocolError:
            return None
        return bytes([frames.HEARTBEAT]) + body

    def record(self, data: dict[str, object]) -> bytes | None:
        try:
            envelope, body = seal.open_envelope(contract.octets(data, "record"), self._end_to_end, seal.UP)
        except RemoteProtocolError:
            return None
        return bytes([int(envelope.kind)]) + bytes(body)
