"""One gateway and the centre on a cluster of three real NATS nodes, of which one dies, then another, in the middle of it all."""

import asyncio
import os
from types import SimpleNamespace

import pytest

from between import GATEWAY, Ends, connected, until
from mqtt_recorder import Recorder
from nats_cluster import NODES, Cluster, program
from strapline_protocol.broker import BrokerError
from strapline_protocol.mqtt import PahoClient

pytestmark = [pytest.mark.usefixtures("no_leaked_threads"), pytest.mark.slow]


MESSAGES = "$MQTT_msgs"


@pytest.fixture
def cluster(tmp_path, certificates):
    if program() is None:
        reason = "no nats-server on the PATH or in /usr/sbin; install it (Debian: apt install nats-server)"
        if os.environ.get("STRAPLINE_REQUIRE_NATS") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    with Cluster(tmp_path, certificates) as running:
        yield running


def test_a_node_that_dies_costs_no_record(cluster, tmp_path):
    """It is the one that leads the stream of all messages, and the gateway is on it."""
    asyncio.run(live_through(cluster, tmp_path, gateway_on="leader", dies="leader"))


@pytest.mark.skipif(os.environ.get("STRAPLINE_LONG") != "1", reason="for STRAPLINE_LONG=1: much the same again")
@pytest.mark.parametrize(("gateway_on", "dies"), [("follower", "follower"), ("follower", "leader")])
def test_whichever_node_dies_costs_no_record(cluster, tmp_path, gateway_on, dies):
    asyncio.run(live_through(cluster, tmp_path, gateway_on=gateway_on, dies=dies))


async def live_through(cluster, folder, gateway_on, dies):
    await gather_streams(cluster)
    leader = cluster.leader(MESSAGES)
    follower, other = (node for node in NODES if node != leader)
    roles = {"leader": leader, "follower": follower}
    near, far = cluster.url(GATEWAY, first=roles[gateway_on]), cluster.url("centre", first=other)
    ends = Ends(SimpleNamespace(url=near), SimpleNamespace(url=far), folder)
    try:
        await ends.connect()
        ends.hear(50)
        await until(lambda: len(ends.sequences()) >= 20)
        cluster.kill(roles[dies])
        for _ in range(20):
            ends.hear(5)
            await asyncio.sleep(0.02)
        await ends.delivered(150)
        assert ends.relay.connected
        assert ends.ledger.conflicts == 0
    finally:
        await ends.close()


async def gather_streams(cluster):
    """The first client of all has the cluster make its streams."""
    first = PahoClient(cluster.url("centre"), "centre", [])
    await connected(first, Recorder())
    await first.close()
    await asyncio.to_thread(cluster.until, lambda: cluster.leader(MESSAGES))


def test_foreign_topics_are_refused(cluster):
    """NATS refuses the subscription itself, and closes the connection of who publishes elsewhere."""

    async def main():
        for wanted in ("#", "strapline/v1/+/receipt", "strapline/v1/6a7e0002/receipt", f"strapline/v1/{GATEWAY}/state"):
            client = PahoClient(cluster.url(GATEWAY), "6a7e0001", [wanted])
            with pytest.raises(BrokerError, match="refused a subscription"):
                await client.connect(Recorder())
        centre = PahoClient(cluster.url("centre"), "centre", ["strapline/v1/+/state", "strapline/v1/+/event/+"])
        gateway = PahoClient(cluster.url(GATEWAY), GATEWAY, [f"strapline/v1/{GATEWAY}/receipt"])
        await centre.connect(at_centre := Recorder())
        await gateway.connect(Recorder())
        gateway.publish("strapline/v1/6a7e0002/state", b"forged")
        gateway.publish(f"strapline/v1/{GATEWAY}/state", b"own")
        await at_centre.messages_heard(1)
        assert at_centre.messages == [(f"strapline/v1/{GATEWAY}/state", b"own")]
        await gateway.close()
        await centre.close()
        stranger = cluster.url(GATEWAY).replace(f"/{GATEWAY}.", f"/stranger/{GATEWAY}.")
        with pytest.raises(BrokerError, match=r"refuses|does it know our certificate"):
            await PahoClient(stranger, GATEWAY, []).connect(Recorder())

    asyncio.run(main())
