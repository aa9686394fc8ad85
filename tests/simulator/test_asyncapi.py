"""The AsyncAPI document says what is really sent: every message of whole runs is held to its schema."""

import json
from collections import Counter

import jsonschema
import pytest

from hand_made_tag import HandMadeTag
from strapline_gateway.relay import utc_now
from strapline_protocol import contract
from strapline_protocol.asyncapi import CHANNELS, document, message_schema
from strapline_protocol.desk import Desk
from strapline_simulator.scenario import load_scenario
from strapline_simulator.simulation import Options, run_scenario
from strapline_simulator.trace import read_trace

VALIDATORS = {
    channel.name: jsonschema.Draft7Validator(message_schema(channel), format_checker=jsonschema.FormatChecker())
    for channel in CHANNELS
}


@pytest.mark.parametrize("name", ["leaves-at-night", "strap-cut"])
def test_every_message_of_a_run_keeps_its_schema(name, tmp_path):
    # In some runs a connection stands at the moment of the cut: then the record goes at once, and there is nothing provisional.
    run_scenario(load_scenario(name), Options(body="model", folder=tmp_path, seed=2))
    counted = Counter()
    for packet in read_trace(tmp_path / "trace.pcapng"):
        if packet.interface != "mqtt":
            continue
        topic, _, payload = packet.data.partition(b"\0")
        channel = contract.parse_topic(topic.decode()).channel
        VALIDATORS[channel].validate(json.loads(payload))
        counted[channel] += 1
    wanted = {"event", "presence", "time", "receipt", "command"} | ({"alarm"} if name == "strap-cut" else {"position"})
    assert wanted <= set(counted)


def test_the_document_names_the_contracts_channels():
    made = document("1.0.0")
    assert set(made["channels"]) == set(contract.CHANNELS)
    assert made["asyncapi"] == "3.0.0"
    for operation in made["operations"].values():
        assert operation["channel"]["$ref"].split("/")[-1] in made["channels"]
    for channel in made["channels"].values():
        assert channel["address"].startswith("strapline/v1/{gateway}/")
    for channel in CHANNELS:
        jsonschema.Draft7Validator.check_schema(message_schema(channel))


def test_a_message_without_its_seal_does_not_keep_the_schema():
    made = {
        "specversion": "1.0",
        "id": "x",
        "source": "/strapline/v1/6a7e0001",
        "type": "strapline.state.v1",
        "data": {"state": "online"},
    }
    assert not VALIDATORS["state"].is_valid(made)


def test_what_a_centre_answers_to_what_it_cannot_open_or_read_keeps_the_schema():
    tag, key = HandMadeTag(), bytes(32)
    desk = Desk([tag.centre_keys], {"6a7e0001": key}, utc=utc_now, epoch=1)
    for sealed in (tag.event()[:-1] + b"?", tag.record(0x3E, b"of a newer firmware", sequence=77)):
        topic = contract.Topic("6a7e0001", "event", tag.ident)
        data = {"record": contract.text_of(sealed), "heard": contract.utc_text(utc_now())}
        heard = desk.receive(str(topic), contract.encode(contract.Message(topic, "x", utc_now(), data), key))
        desk.accept(heard)
    said = []
    while (out := desk.next_message()) is not None:
        channel = contract.parse_topic(out.topic).channel
        VALIDATORS[channel].validate(json.loads(out.payload))
        said.append((channel, "refused" in json.loads(out.payload)["data"]))
    assert said == [("receipt", True), ("receipt", False), ("command", False)]


@pytest.mark.parametrize("digest", ["", "0" * 63, "g" * 64, 5])
def test_a_refusal_names_what_it_refuses_by_a_whole_digest(digest):
    topic = contract.Topic("6a7e0001", "receipt")
    data = {"source": "7a900001", "journal": 1, "base": 1, "bitmap": 0, "refused": {"sequence": 1, "digest": "0" * 64}}
    good = json.loads(contract.encode(contract.Message(topic, "x", utc_now(), data), bytes(32)))
    assert VALIDATORS["receipt"].is_valid(good)
    good["data"]["refused"]["digest"] = digest
    assert not VALIDATORS["receipt"].is_valid(good)
