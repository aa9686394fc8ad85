"""The gateway as its own process: a real broker, a real tag's bytes over TCP, real signals."""

import asyncio
import base64
import json
import signal

import pytest
from prometheus_client.parser import text_string_to_metric_families
from typer.testing import CliRunner

from gateway_process import KEY, GatewayProcess, calling, centre_behind, until, write_tags
from hand_made_tag import OTHER_SECRET, OTHER_TAG, HandMadeTag
from mqtt_recorder import Recorder
from strapline_gateway.command import app
from strapline_protocol.mqtt import PahoClient
from strapline_wire import frames


@pytest.fixture
def house(tmp_path, mosquitto):
    tag = HandMadeTag()
    process = GatewayProcess(tmp_path / "gateway", mosquitto.url, tag)
    process.tag = tag
    yield process
    process.close()


@pytest.fixture
def lonely(tmp_path):
    """A gateway whose broker is not there."""
    process = GatewayProcess(tmp_path / "gateway", "mqtt://127.0.0.1:1", HandMadeTag())
    yield process
    process.close()


def kinds(centre):
    return [entry.kind for entry in centre.ledger.entries()]


def metrics(page):
    """Each sample by its name and labels, as Prometheus' own parser reads them."""
    return {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(page)
        for sample in family.samples
    }


def test_a_record_travels_to_the_centre_and_its_receipt_back(house, mosquitto):
    """And what the gateway says of itself meanwhile: status, metrics, readiness, and a log without keys and records."""

    async def main():
        async with centre_behind(mosquitto.url, house.tag) as centre:
            house.start()
            sealed = house.tag.event(frames.EVENT_STRAP_OPEN)
            async with calling(await house.port(), house.tag) as call:
                call.send(sealed)
                envelope, _ = house.tag.open_command(await call.receipt())
                assert envelope.kind == frames.RECEIPT
                await until(lambda: house.status()["traffic"]["receipted"] == 2)
                status = house.status()
            assert {"event", "notice"} <= set(kinds(centre))
            samples = metrics((await house.page("/metrics"))[1])
            assert await house.page("/readyz") == (200, '{"ready": true, "reasons": []}\n')
            assert house.end() == 0
            await until(lambda: "offline" in centre.gateway_states.values())
        return sealed, status, samples

    sealed, status, samples = asyncio.run(main())
    assert status["broker"] == {"place": mosquitto.url[7:], "connected": True, "trouble": "", "certificate_days": None}
    assert [tag["tag"] for tag in status["tags"]] == [house.tag.ident]
    assert status["troubles"] == []
    assert samples["strapline_gateway_receipted_total",] == 2
    assert samples["strapline_gateway_outbox_records", "alarm"] == 0
    assert samples["strapline_gateway_broker_connected",] == 1
    assert samples["strapline_gateway_link_state", "tcp:127.0.0.1:0", "up"] == 1
    log = (house.folder / "gateway.log").read_text()
    for secret in (KEY, sealed, *house.tag.gateway_keys[1:4]):
        assert secret.hex() not in log
        assert base64.b64encode(secret).decode() not in log


def test_a_killed_gateway_delivers_what_it_had_after_its_next_start(house, mosquitto):
    async def main():
        house.start()
        port = await house.port()
        async with calling(port, house.tag) as call:
            call.send(house.tag.event(frames.EVENT_STRAP_OPEN))
            await until(lambda: house.waiting("event") == 1)
        assert house.end(signal.SIGKILL) == -signal.SIGKILL
        assert house.ask("status") == (1, f"{house.state}: nothing runs there; start it first\n")
        async with centre_behind(mosquitto.url, house.tag) as centre:
            house.start()
            await until(lambda: "event" in kinds(centre))
        assert house.end(signal.SIGINT) == 0

    asyncio.run(main())


def test_without_a_broker_a_gateway_runs_keeps_and_says_why_it_is_not_ready(house, mosquitto):
    async def main():
        mosquitto.stop()
        house.start()
        async with calling(await house.port(), house.tag) as call:
            call.send(house.tag.event(frames.EVENT_STRAP_OPEN))
            await until(lambda: house.waiting("event") == 1)
        assert (await house.page("/healthz"))[0] == 200
        code, told = await house.page("/readyz")
        assert code == 503
        (reason,) = json.loads(told)["reasons"]
        assert reason["code"] == "broker_away"
        assert "Connection refused" in reason["text"]
        assert "! no connection to" in house.ask("status")[1]
        mosquitto.start()
        async with centre_behind(mosquitto.url, house.tag) as centre:
            await until(lambda: "event" in kinds(centre))
        assert house.end() == 0

    asyncio.run(main())


def test_tags_are_enrolled_and_withdrawn_while_it_runs(lonely, tmp_path):
    share = tmp_path / "share.json"
    other = HandMadeTag(OTHER_TAG, OTHER_SECRET)
    write_tags(share, other)

    async def main():
        code, told = lonely.ask("enrol", str(share))
        assert (code, told.splitlines()[-1]) == (0, "no gateway runs: it will know at its next start")
        lonely.ask("withdraw", OTHER_TAG)
        lonely.start()
        port = await lonely.port()
        assert lonely.ask("enrol", str(share)) == (0, f"{OTHER_TAG} enrolled\nthe gateway knows it\n")
        async with calling(port, other):
            await until(lambda: any(tag["connected"] for tag in lonely.status()["tags"]))
        assert lonely.ask("withdraw", OTHER_TAG) == (0, f"{OTHER_TAG} withdrawn\nthe gateway knows it\n")
        assert [tag["tag"] for tag in lonely.status()["tags"]] == [HandMadeTag().ident]
        write_tags(lonely.state / "tags.json", other)
        lonely.process.send_signal(signal.SIGHUP)
        await until(lambda: [tag["tag"] for tag in lonely.status()["tags"]] == [OTHER_TAG])
        (lonely.state / "tags.json").chmod(0o644)
        lonely.process.send_signal(signal.SIGHUP)
        assert "chmod 600" in (await lonely.logged("not read again"))["event"]
        assert [tag["tag"] for tag in lonely.status()["tags"]] == [OTHER_TAG]
        (lonely.state / "tags.json").chmod(0o600)
        assert lonely.end() == 0

    asyncio.run(main())


def test_what_cannot_be_enrolled_is_told_in_one_line(lonely, tmp_path):
    share = tmp_path / "share.json"
    write_tags(share, HandMadeTag(secret=OTHER_SECRET))
    tag = HandMadeTag().ident
    assert lonely.ask("enrol", str(share)) == (
        2,
        f"{share}: tag {tag} is enrolled under other keys; --replace where it was provisioned anew",
    )
    assert lonely.ask("enrol", str(share), "--replace")[0] == 0
    assert lonely.ask("enrol", str(share), "--tag", "7a90000f")[0] == 2
    assert lonely.ask("enrol", str(tmp_path / "nothing.json"))[0] == 2
    assert lonely.ask("withdraw", "7a90000f")[0] == 2


def test_a_state_folder_has_one_gateway_and_a_mistake_is_one_line_without_traceback(lonely):
    async def main():
        lonely.start()
        await lonely.port()

    asyncio.run(main())
    told = f"strapline: {lonely.state}: it runs there already (process {lonely.process.pid}); end it first, or name another state folder\n"
    assert lonely.run_once() == (2, told)
    assert lonely.end() == 0
    lonely.config.write_text(lonely.config.read_text().replace("tcp:127.0.0.1:0", "tcp:127.0.0.1"))
    code, told = lonely.run_once()
    assert code == 2
    assert told.startswith(f"strapline: {lonely.config}:5: gateway.links[0]: ")
    assert told.count("\n") == 1


def test_a_range_test_is_led_from_the_command_line(lonely):
    """What a walk through real signals shows is the station's; here nobody calls, so that each spot is a dead one."""

    async def main():
        lonely.start()
        await lonely.port()

    asyncio.run(main())
    tag = HandMadeTag().ident
    code, told = lonely.ask("range-test", tag, answers="kitchen\n\n-yard\n\n\n")
    assert code == 0
    assert "kitchen: nothing was heard" in told
    assert "! no spot at home was heard well enough to propose a limit" in told
    assert lonely.ask("range-test", "7a90000f")[0] == 2
    assert lonely.end() == 0


def test_a_configuration_is_checked_without_a_gateway(lonely):
    told = CliRunner().invoke(app, ["config", "--check", str(lonely.config)])
    assert (told.exit_code, told.output) == (0, f"{lonely.config}: gateway 6a7e0001, nothing wrong\n")
    lonely.config.write_text(lonely.config.read_text().replace("[log]", "[logs]"))
    told = CliRunner().invoke(app, ["config", "--check", str(lonely.config)])
    assert str(told.exception).startswith(f"{lonely.config}:10: logs: unknown key or section; did you mean log?")


def test_home_assistant_sees_tags_while_it_is_wanted_and_nothing_stays_behind(tmp_path, mosquitto):
    house = GatewayProcess(
        tmp_path / "gateway", mosquitto.url, HandMadeTag(), more="[homeassistant]\ndiscovery = true\n"
    )
    heard = Recorder()

    def standing():
        """What is retained under the prefix now, as the last message on each topic says."""
        return {topic for topic, payload in dict(heard.messages).items() if payload}

    async def main():
        client = PahoClient(mosquitto.url, "home-assistant", ["homeassistant/#"])
        await client.connect(heard)
        house.start()
        await until(lambda: len(standing()) == 2)
        assert house.end(signal.SIGKILL) == -signal.SIGKILL
        house.config.write_text(house.config.read_text().replace("discovery = true", "discovery = false"))
        house.start()
        await until(lambda: not standing())
        assert house.end() == 0
        await client.close()

    try:
        asyncio.run(main())
    finally:
        house.close()
