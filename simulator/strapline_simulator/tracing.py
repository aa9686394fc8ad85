"""What of a chain goes into its trace, and its test keys where somebody asks for them."""

import json
from collections.abc import Callable, Iterator

from strapline_protocol import contract
from strapline_protocol.cipher import HostCipher
from strapline_protocol.keys import GatewayKeys
from strapline_protocol.rekeying import next_generation
from strapline_simulator.ble import Air
from strapline_simulator.chain import Chain
from strapline_simulator.trace import TraceWriter, notes_text
from strapline_simulator.traces.keybox import keys_text
from strapline_wire import frames, gatt, link, seal
from strapline_wire.errors import RemoteProtocolError
from strapline_wire.replay import ReplayWindow

# Of LINKTYPE_BLUETOOTH_HCI_H4_WITH_PHDR, in network byte order: https://www.tcpdump.org/linktypes.html
_HCI_SENT, _HCI_RECEIVED = bytes(4), bytes((0, 0, 0, 1))
_SERVICE_DATA = gatt.SERVICE_DATA_UUID16.to_bytes(2, "little")


def trace_chain(chain: Chain, trace: TraceWriter, *, keys: bool = False) -> None:
    """Write the links and what they say into the trace from now on; the run's own test keys where they are asked for, else none."""
    if keys:
        trace.write_keys(keys_text([chain.tag_keys], [chain.seals], chain.test_gateway_keys))
    reader = _Reader(chain)

    tag_note = notes_text({"tag": chain.tag_id})

    def opened(body: bytes | None) -> None:
        if body is not None:
            trace.write("opened", chain.utc().timestamp(), body, inbound=True, comment=tag_note)

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
        inbound = channel in contract.FROM_GATEWAYS
        trace.write("mqtt", chain.utc().timestamp(), topic.encode() + b"\0" + payload, inbound=inbound)
        if channel in ("event", "position"):
            opened(reader.record(json.loads(payload)["data"]))

    def on_truth(_t: float, text: str) -> None:
        trace.write("truth", chain.utc().timestamp(), json.dumps({"what": text}).encode())

    def on_hci(node: str, to_host: bool, packet: bytes) -> None:
        direction = _HCI_RECEIVED if to_host else _HCI_SENT
        trace.write("hci", chain.utc().timestamp(), direction + packet, to_host, notes_text({"node": node}))

    if isinstance(chain.air, Air):
        chain.air.on_hci = on_hci
    chain.air.on_advertisement = on_advertisement
    chain.tag_lines.on_gatt = frames_of("air")
    chain.tag_lines.cellular.tap = frames_of("cellular")
    chain.broker.on_mqtt = on_mqtt
    chain.on_truth = on_truth


class _Reader:
    """Opens what the simulation's own test keys open, for the trace's readers."""

    def __init__(self, chain: Chain) -> None:
        self._chain = chain
        self._newest = chain.seals
        self._generations: list[tuple[HostCipher, HostCipher, HostCipher]] = []
        """Broadcast, header and end-to-end, the newest first."""
        self._use(chain.tag_keys)

    def _use(self, share: GatewayKeys) -> None:
        ciphers = HostCipher(share.broadcast), HostCipher(share.header), HostCipher(self._newest.end_to_end)
        self._generations.insert(0, ciphers)

    def heartbeat(self, frame: bytes) -> bytes | None:
        for broadcast, header, _ in self._tried():
            try:
                _, body = seal.open_frame(frame, broadcast, header, seal.UP, ReplayWindow())
            except RemoteProtocolError:
                continue
            return bytes([frames.HEARTBEAT]) + body
        return None

    def record(self, data: dict[str, object]) -> bytes | None:
        for *_, end_to_end in self._tried():
            try:
                envelope, body = seal.open_envelope(contract.octets(data, "record"), end_to_end, seal.UP)
            except RemoteProtocolError:
                continue
            return bytes([int(envelope.kind)]) + bytes(body)
        return None

    def _tried(self) -> Iterator[tuple[HostCipher, HostCipher, HostCipher]]:
        yield from list(self._generations)
        for number, salt, _ in self._chain.centre.rekeyings(self._chain.tag_id)[len(self._generations) - 1 :]:
            generation = next_generation(self._newest, number, salt)
            self._newest = generation.centre
            self._use(generation.gateways)
            yield self._generations[0]
