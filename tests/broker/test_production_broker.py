"""R40 on a real Mosquitto with the configuration, the ACL and the kind of certificates that are shipped."""

import asyncio
import time
from contextlib import AsyncExitStack

import pytest

from mqtt_recorder import Recorder
from strapline_centre.centre import subscriptions as centre_subscriptions
from strapline_gateway.relay import subscriptions as gateway_subscriptions
from strapline_protocol.broker import BrokerError, Will
from strapline_protocol.mqtt import PahoClient
from strapline_simulator.scenario import load_scenario
from strapline_simulator.simulation import Options, run_scenario

pytestmark = pytest.mark.usefixtures("no_leaked_threads")

OURS, THEIRS, TAG = "6a7e0001", "6a7e0002", "7a900001"
VERSIONS = ["5", "3.1.1"]
ALL = ["#", "$SYS/#", "strapline/#", "strapline/v1/+/receipt"]


def with_clients(production, story, version="5"):
    """Run `story(join)`; `join(user, *subscriptions, as_id=…, will=…)` connects with the user's certificate."""

    async def main():
        async with AsyncExitStack() as stack:

            async def join(user, *subscriptions, as_id=None, will=None):
                client = PahoClient(production.url(user, version=version), as_id or user, subscriptions, will)
                await client.connect(recorder := Recorder())
                stack.push_async_callback(client.close)
                return client, recorder

            await story(join)

    asyncio.run(main())


@pytest.mark.parametrize("version", VERSIONS)
def test_a_gateways_and_the_centres_own_topics_are_all_open(production, version):
    async def story(join):
        centre, at_centre = await join("centre", *centre_subscriptions())
        gateway, at_gateway = await join(OURS, *gateway_subscriptions(OURS))
        up = [own.replace("+", OURS, 1).replace("+", TAG) for own in centre_subscriptions()]
        down = [own.replace("+", TAG) for own in gateway_subscriptions(OURS)]
        for topic in up:
            gateway.publish(topic, b"up")
        for topic in down:
            centre.publish(topic, b"down")
        assert await at_centre.messages_heard(len(up)) == [(topic, b"up") for topic in up]
        assert await at_gateway.messages_heard(len(down)) == [(topic, b"down") for topic in down]

    with_clients(production, story, version)


@pytest.mark.parametrize("version", VERSIONS)
def test_publishing_on_foreign_topics_is_refused(production, version, caplog):
    foreign = [
        f"strapline/v1/{OURS}/state",
        f"strapline/v1/{OURS}/event/{TAG}",
        f"strapline/v1/{OURS}/receipt",
        f"strapline/v1/{THEIRS}/receipt",
        f"strapline/v1/{THEIRS}/event/{TAG}/more",
        "strapline/v1/centre/beat",
        "$SYS/broker/version",
        "anything",
    ]

    async def story(join):
        _, at_centre = await join("centre", *centre_subscriptions())
        _, at_gateway = await join(OURS, *gateway_subscriptions(OURS))
        intruder, heard = await join(THEIRS)
        for topic in foreign:
            intruder.publish(topic, b"forged", retain=True)
        intruder.publish(f"strapline/v1/{THEIRS}/event/{TAG}", b"own")
        assert await at_centre.messages_heard(1) == [(f"strapline/v1/{THEIRS}/event/{TAG}", b"own")]
        # Later than all that: whoever comes now finds nothing retained.
        await heard.pubacks_heard(1)
        latecomer, at_latecomer = await join("6a7e00ce", *gateway_subscriptions("6a7e00ce"))
        latecomer.publish("strapline/v1/6a7e00ce/state", b"online")
        await at_centre.messages_heard(2)
        assert [payload for _, payload in at_centre.messages] == [b"own", b"online"]
        assert at_gateway.messages == at_latecomer.messages == []
        assert at_gateway.ups == 1

    with_clients(production, story, version)
    if version == "5":  # 3.1.1 has no way to say so
        refused = [record.args[1] for record in caplog.records if "refused a message" in record.msg]
        assert refused == foreign


@pytest.mark.parametrize("version", VERSIONS)
def test_who_subscribes_to_everything_hears_his_own_alone(production, version):
    """Mosquitto grants the subscription on paper and holds the ACL against every message: what comes counts."""

    async def story(join):
        _, at_intruder = await join(THEIRS, *ALL, *gateway_subscriptions(THEIRS), *centre_subscriptions())
        centre, at_centre = await join("centre", "#", *centre_subscriptions())
        gateway, at_gateway = await join(OURS, *gateway_subscriptions(OURS))
        gateway.publish(f"strapline/v1/{OURS}/state", b"online", retain=True)
        gateway.publish(f"strapline/v1/{OURS}/event/{TAG}", b"record")
        await at_centre.messages_heard(2)
        for topic in [own.replace("+", TAG) for own in gateway_subscriptions(OURS)]:
            centre.publish(topic, b"not for the other")
        await at_gateway.messages_heard(5)
        centre.publish(f"strapline/v1/{THEIRS}/beat", b"own")
        await at_intruder.messages_heard(1)
        assert set(at_intruder.messages) == {(f"strapline/v1/{THEIRS}/beat", b"own")}
        assert not [topic for topic, _ in at_centre.messages if not topic.startswith("strapline/v1/6a7e")]

    with_clients(production, story, version)


def test_a_client_id_is_the_certificates(production):
    async def story(join):
        _, at_gateway = await join(OURS, *gateway_subscriptions(OURS))
        _, at_intruder = await join(THEIRS, *gateway_subscriptions(THEIRS), as_id=OURS)
        centre, _ = await join("centre", *centre_subscriptions(), as_id=OURS)
        for ident in (OURS, THEIRS):
            centre.publish(f"strapline/v1/{ident}/beat", ident.encode())
        await at_gateway.messages_heard(1)
        await at_intruder.messages_heard(1)
        assert at_gateway.heard == [("up",), (f"strapline/v1/{OURS}/beat", OURS.encode())]
        assert at_intruder.messages == [(f"strapline/v1/{THEIRS}/beat", THEIRS.encode())]

    with_clients(production, story)
    assert f"as {THEIRS} (p5" in production.log
    assert "already connected" not in production.log


def test_a_will_on_a_foreign_topic_is_refused(production):
    async def story(join):
        _, at_centre = await join("centre", *centre_subscriptions())
        intruder, _ = await join(THEIRS, will=Will(f"strapline/v1/{OURS}/state", b"forged"))
        gateway, _ = await join(OURS, will=Will(f"strapline/v1/{OURS}/state", b"lost"))
        for lost in (intruder, gateway):
            lost._link.cut()
        await at_centre.messages_heard(1)
        assert at_centre.messages == [(f"strapline/v1/{OURS}/state", b"lost")]

    with_clients(production, story)


def refuse(url, **options):
    asyncio.run(
        PahoClient(url, OURS, gateway_subscriptions(OURS), connect_timeout_s=4.0, **options).connect(Recorder())
    )


def test_whoever_has_no_certificate_of_our_ca_is_turned_away_and_nobody_else_notices(production):
    files = production.certificates
    own_ca = f"mqtts://127.0.0.1:{production.port}?ca={files}/ca.pem"
    stranger = f"{own_ca}&cert={files}/stranger/{OURS}.pem&key={files}/stranger/{OURS}.key"
    attempts = {
        f"mqtt://127.0.0.1:{production.port}": "closed the connection|no answer|reset",
        own_ca: "refuses our certificate|does it know our certificate",
        stranger: "refuses our certificate .*unknown ca|does it know our certificate",
        production.url(OURS, ca=files / "stranger" / "ca.pem"): "its certificate is not trusted .*stranger",
        production.url("expired"): "expired.pem has expired on .*renew it",
    }

    async def story(join):
        gateway, at_gateway = await join(OURS, *gateway_subscriptions(OURS))
        _, at_centre = await join("centre", *centre_subscriptions())
        for url, words in attempts.items():
            for version in VERSIONS:
                asked = url + ("" if "version=" in url else f"{'&' if '?' in url else '?'}version={version}")
                with pytest.raises(BrokerError, match=words) as caught:
                    await asyncio.to_thread(refuse, asked)
                assert "\n" not in str(caught.value)
        gateway.publish(f"strapline/v1/{OURS}/event/{TAG}", b"undisturbed")
        await at_centre.messages_heard(1)
        assert at_gateway.ups == at_centre.ups == 1

    with_clients(production, story)
    assert "OpenSSL Error" in production.log


def test_the_broker_itself_refuses_an_expired_certificate(production, monkeypatch):
    """As a client would be that does not look at its own."""
    monkeypatch.setattr("strapline_protocol.tls._check_dates", lambda url, name, path, now: _unchecked(url, name, path))
    with pytest.raises(
        BrokerError, match=r"refuses our certificate .*certificate expired|does it know our certificate"
    ):
        refuse(production.url("expired"))


def _unchecked(url, name, path):
    from strapline_protocol import tls

    return tls._certificates(url, name, path)


def test_a_whole_scenario_runs_under_the_acl(production):
    """Nothing that tag, gateways and centre say to each other is missing from it."""
    url = production.url("{user}")
    result = run_scenario(load_scenario("strap-cut"), Options(body="model", broker=url))
    assert result.unmet == []
    assert result.report.ledger.missing == 0
    assert "Denied" not in production.log


def test_a_renewed_certificate_is_used_from_the_next_connection_on(production, tmp_path):
    """And one that has become useless is told, and what was there before goes on."""
    from strapline_protocol import tls
    from strapline_protocol.certificates import files_of, issue

    now = tls.utc_now()
    mine = tmp_path / "mine"
    mine.mkdir()
    for name in ("ca.pem", "ca.key"):
        (mine / name).write_bytes((production.certificates / name).read_bytes())
    first = issue(mine, OURS, now, 10)
    query = f"ca={mine}/ca.pem&cert={first.certificate}&key={first.key}"

    async def main():
        client = PahoClient(f"mqtts://127.0.0.1:{production.port}?{query}", OURS, [], jitter=lambda: 0.0)
        await client.connect(recorder := Recorder())
        for kept in files_of(mine, OURS):
            kept.unlink()
        issue(mine, OURS, now, 100)
        production.mosquitto.restart()
        await recorder.until(lambda me: me.ups == 2)
        await client.close()

    began = time.monotonic()
    asyncio.run(main())
    assert time.monotonic() - began < 20
    assert tls.expiries(f"mqtts://h?{query}")[0].ends > now
