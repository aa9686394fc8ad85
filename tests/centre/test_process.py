"""The centre as its own process, with a real Mosquitto and real gateway messages: started, killed, asked, refused."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest
from prometheus_client.parser import text_string_to_metric_families
from typer.testing import CliRunner

from hand_made_tag import SECRET, TAG, HandMadeTag
from mqtt_recorder import Recorder
from strapline_centre.command import app
from strapline_centre.config import config_reference, config_template, read_config
from strapline_centre.database import Database
from strapline_protocol import contract
from strapline_protocol.contract import Message, Topic
from strapline_protocol.errors import UserError
from strapline_protocol.keyring import successor
from strapline_protocol.keys import centre_keys
from strapline_protocol.link_key import write_link_keys
from strapline_protocol.mqtt import PahoClient
from strapline_wire import frames

HOME = "6a7e0001"
KEY = bytes(range(32))
_LIMIT_S = 20.0


class Site:
    """A configuration in a folder, and the commands on it."""

    def __init__(self, folder, broker_url, more=""):
        self.folder = folder
        self.tag = HandMadeTag()
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        with successor(folder / "tags.json", [centre_keys(TAG, SECRET)]) as put:
            put()
        (folder / "home.key").write_text(KEY.hex() + "\n")
        (folder / "home.key").chmod(0o600)
        self.config = folder / "centre.toml"
        self.config.write_text(
            f"""format = 1
[centre]
state = "state"
[broker]
url = "{broker_url}"
[tags]
keys = "tags.json"
[[gateway]]
id = "{HOME}"
key = "home.key"
[[person]]
tag = "{TAG}"
zone = "Europe/Berlin"
may_leave = ["07:30-17:30"]
[metrics]
address = "127.0.0.1:{self.port}"
[log]
format = "json"
{more}"""
        )

    @contextmanager
    def running(self, until="/readyz"):
        """Until this page is there: a centre that is not ready has not subscribed yet, and what is published to it is lost."""
        with (self.folder / "log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "strapline_centre", "run", "--config", str(self.config)],
                stderr=log,
                env=os.environ,
            )
        try:
            self.wait_for(lambda: self.page(until) or process.poll() is not None)
            yield process
        finally:
            if process.poll() is None:
                process.kill()
            process.wait()

    def page(self, path):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as answer:
                return answer.read().decode()
        except (urllib.error.URLError, ConnectionError):
            return ""

    def ask(self, *arguments, code=0):
        done = CliRunner().invoke(app, [arguments[0], "--config", str(self.config), *arguments[1:]])
        if code == 2:
            assert isinstance(done.exception, UserError), done.output
            return str(done.exception)
        assert done.exit_code == code, (done.output, done.exception)
        return done.output

    def status(self):
        return json.loads(self.ask("status", "--json"))

    def wait_for(self, condition):
        deadline = time.monotonic() + _LIMIT_S
        while not condition():
            assert time.monotonic() < deadline, (self.folder / "log").read_text()
            time.sleep(0.02)

    def said(self, channel, data, subject="", ident="x"):
        topic = Topic(HOME, channel, subject)
        return str(topic), contract.encode(Message(topic, ident, datetime.now(UTC), data), KEY)

    def record(self, sealed, *, alarm=False):
        data = {"record": contract.text_of(sealed), "heard": contract.utc_text(datetime.now(UTC)), "alarm": alarm}
        return self.said("event", data, TAG)


def talk(url, messages, enough):
    """Publish as the gateway, and listen until `enough(what the centre said)`."""

    async def main():
        heard = Recorder()
        client = PahoClient(url, "gateway", [f"strapline/v1/{HOME}/{c}" for c in ("receipt", "command/+", "beat")])
        await client.connect(heard)
        for topic, payload in messages:
            client.publish(topic, payload)

        def told():
            return [contract.decode(topic, payload, KEY) for topic, payload in heard.messages]

        async with asyncio.timeout(_LIMIT_S):
            while not enough(told()):  # noqa: ASYNC110 - a recorder has no event
                await asyncio.sleep(0.01)
        await client.close()
        return told()

    return asyncio.run(main())


@pytest.fixture
def site(tmp_path, mosquitto):
    return Site(tmp_path, mosquitto.url)


def receipts(told):
    return [message for message in told if message.topic.channel == "receipt"]


def test_a_record_is_receipted_kept_shown_acknowledged_and_outlives_a_kill(site, mosquitto):
    strap = site.tag.event(frames.EVENT_STRAP_OPEN)
    history = [site.record(site.tag.event()) for _ in range(50)]
    with site.running() as process:
        told = talk(
            mosquitto.url,
            [site.record(strap, alarm=True), *history],
            lambda told: receipts(told) and receipts(told)[-1].data["base"] == 52,
        )
        assert len(receipts(told)) < 15  # one for the alarm, and few for fifty of history
        (alert,) = json.loads(site.ask("alerts", "--open", "--json"))
        assert (alert["code"], alert["times"], [step["role"] for step in alert["steps"]]) == (
            "strap_open",
            1,
            ["primary"],
        )
        assert "strap_open" in site.ask("alerts")
        assert "is not open" in site.ask("ack", "9", "--note", "x", "--by", "primary", code=2)
        assert "a note" in site.ask("ack", "1", "--note", " ", "--by", "primary", code=2)
        process.kill()
        process.wait()
    assert "the strap is open" in site.ask("alerts", "--open")  # also while it is down
    assert "nothing runs there" in site.ask("status", code=2)
    with site.running() as process:
        again = talk(mosquitto.url, [site.record(strap, alarm=True)], receipts)
        assert receipts(again)[0].data["base"] == 52
        site.ask("ack", "1", "--note", "the officer was there: a door", "--by", "secondary")
        assert json.loads(site.ask("alerts", "--open", "--json")) == []
        assert "acknowledged by secondary: the officer was there: a door" in site.ask("alerts")
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
    out = site.folder / "all.jsonl"
    assert "51 records, 1 alerts" in site.ask("export", "--out", str(out))
    done = CliRunner().invoke(app, ["verify", str(out), "--keys", str(site.folder / "tags.json")])
    assert (done.exit_code, "51 records open, 0 do not" in done.output) == (0, True)
    assert KEY.hex() not in (site.folder / "log").read_text()


def test_messages_orders_view_metrics_and_a_second_centre(site, mosquitto):
    with site.running():
        site.wait_for(lambda: '"ready": true' in site.page("/readyz"))
        talked = talk(
            mosquitto.url, [site.said("state", {"state": "online", "start": 1, "number": 1})], lambda _told: True
        )
        assert receipts(talked) == []
        site.ask("message", TAG, "Return at once.", "--answer-within", "10min")
        site.ask("locate", TAG)
        site.ask("curfew", TAG)
        assert "no tag of this centre" in site.ask("locate", "7a9000ff", code=2)
        assert "320" in site.ask("message", TAG, "x" * 400, code=2)
        told = talk(mosquitto.url, [site.record(site.tag.event())], receipts)
        assert receipts(told)
        status = site.status()
        assert (status["tags"][0]["orders"], status["broker"], status["ledger"]) == (3, True, "ok")
        assert [g["state"] for g in status["gateways"]] == ["online"]
        shown = site.ask("view", "--once")
        assert "Gateways: 1" in shown
        assert "beacon" in shown
        families = {f.name: f for f in text_string_to_metric_families(site.page("/metrics"))}
        assert families["strapline_centre_ledger_writable"].samples[0].value == 1
        assert families["strapline_centre_messages"].samples[0].value >= 2
        second = subprocess.run(
            [sys.executable, "-m", "strapline_centre", "run", "--config", str(site.config)],
            capture_output=True,
            text=True,
            check=False,
        )
        assert (second.returncode, "it runs there already" in second.stderr) == (2, True)
    with site.running():
        assert site.status()["tags"][0]["orders"] == 3  # open orders outlive a kill


def test_silence_of_a_gateway_is_told_through_the_hook_and_its_return_does_not_close_it(tmp_path, mosquitto):
    told = tmp_path / "told"
    hook = f"""[watch]
gateway_silent_s = 5
beat_s = 1
[[escalation]]
after_min = 0
role = "primary"
[hook]
command = ["/bin/sh", "-c", "cat >> {told}; echo >> {told}"]
"""
    site = Site(tmp_path, mosquitto.url, hook)
    with site.running():
        site.wait_for(lambda: told.exists() and "gateway_silent" in told.read_text())
        beats = talk(
            mosquitto.url,
            [site.said("state", {"state": "online", "start": 1, "number": 1})],
            lambda heard: len(heard) >= 1,
        )
        assert beats[0].topic.channel == "beat"
        site.wait_for(lambda: json.loads(site.ask("alerts", "--open", "--json"))[0]["over_utc"])
        (alert,) = json.loads(site.ask("alerts", "--open", "--json"))
        site.wait_for(lambda: json.loads(site.ask("alerts", "--json"))[0]["steps"][0]["outcome"] == "told")
    assert (alert["code"], alert["subject"], alert["open"]) == ("gateway_silent", HOME, True)
    first = json.loads(told.read_text().splitlines()[0])
    assert (first["alert"]["code"], first["step"]["role"]) == ("gateway_silent", "primary")


def test_a_broker_that_is_away_at_the_start_is_waited_for(tmp_path, mosquitto):
    mosquitto.stop()
    site = Site(tmp_path, mosquitto.url)
    with site.running("/healthz"):
        assert site.status()["broker"] is False
        assert site.page("/readyz") == ""  # 503
        mosquitto.start()
        site.wait_for(lambda: '"ready": true' in site.page("/readyz"))


def test_a_centre_whose_ledger_another_has_taken_ends_and_says_so(site, mosquitto):
    with site.running() as process:
        other = Database(f"sqlite:///{site.folder}/state/ledger.sqlite")
        other.claim_epoch(0)
        other.close()
        talk(mosquitto.url, [site.record(site.tag.event(), alarm=True)], lambda _told: process.poll() is not None)
        assert process.returncode == 2


# Configuration.


@pytest.mark.parametrize(
    ("was", "becomes", "says"),
    [
        ('state = "state"', 'stat = "state"', "did you mean state?"),
        (f'id = "{HOME}"', 'id = "home"', "eight lower-case hexadecimal digits"),
        ('zone = "Europe/Berlin"', 'zone = "Europe/Nowhere"', "no time zone"),
        ("07:30-17:30", "17:30-17:30", "is empty"),
        (f'tag = "{TAG}"', 'tag = "7a9000ff"', "has no key in"),
        ("home.key", "other.key", "cannot be read"),
    ],
)
def test_a_mistake_is_one_line_with_its_place_and_the_mend(tmp_path, was, becomes, says):
    site = Site(tmp_path, "mqtt://127.0.0.1:1")
    text = site.config.read_text()
    line = next(number for number, part in enumerate(text.splitlines(), 1) if was in part)
    site.config.write_text(text.replace(was, becomes, 1))
    with pytest.raises(UserError) as caught:
        read_config(site.config)
    told = [one for one in str(caught.value).splitlines() if says in one]
    assert len(told) == 1
    assert told[0].startswith(f"{site.config}:{line}: ")


def test_the_template_is_a_configuration_once_its_files_are_there(tmp_path):
    with successor(tmp_path / "centre-keys.json", [centre_keys(TAG, SECRET)]) as put:
        put()
    write_link_keys(tmp_path / "gateway-6a7e0001.key", [KEY])
    text = config_template()
    for line in ("[[gateway]]", 'id = "6a7e0001"', 'key = "gateway-6a7e0001.key"'):
        text = text.replace(f"#{line}\n", f"{line}\n")
    (tmp_path / "centre.toml").write_text(text)
    assert read_config(tmp_path / "centre.toml").steps[-1].role == "inquiry"
    assert "`gateway_silent_s`" in config_reference()
