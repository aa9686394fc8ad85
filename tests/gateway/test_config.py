"""The gateway's configuration: what it refuses, its template, its reference in the documentation."""

import tomllib
from pathlib import Path

import pytest

from gateway_process import write_private, write_tags
from hand_made_tag import HandMadeTag
from strapline_gateway.config import config_reference, config_template, read_config
from strapline_protocol.errors import UserError

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture
def filled_in(tmp_path):
    """The template as a person fills it in."""
    write_private(tmp_path / "centre.key", "5a" * 32 + "\n")
    text = config_template().replace('id = ""', 'id = "6a7e0001"').replace('url = ""', 'url = "mqtt://127.0.0.1:1883"')
    return text.replace('centre = ""', 'centre = "centre.key"')


def read(tmp_path, text, environment=()):
    path = tmp_path / "gateway.toml"
    path.write_text(text)
    return read_config(path, dict(environment))


def mistakes(tmp_path, text, environment=()):
    with pytest.raises(UserError) as told:
        read(tmp_path, text, environment)
    return str(told.value).replace(f"{tmp_path}/", "").splitlines()


def test_the_template_is_good_once_three_things_are_filled_in(tmp_path, filled_in):
    config = read(tmp_path, filled_in)
    assert config.gateway.id == "6a7e0001"
    assert config.tags_file == Path("/var/lib/strapline-gateway/tags.json")


def test_the_template_as_printed_says_what_to_fill_in(tmp_path):
    told = mistakes(tmp_path, config_template())
    assert [line.split(" ")[1] for line in told] == ["gateway.id:", "keys.centre:", "broker.url:"]


def test_every_default_in_the_template_is_the_default(tmp_path, filled_in):
    shown = "\n".join(
        line[1:] if line.startswith("#") and not line.startswith(("# ", "#[")) else line
        for line in filled_in.splitlines()
    )
    shown = shown.partition("\n# The gateway's own sensors")[0]
    given = tomllib.loads(shown)
    assert len(given) >= 8
    config = read(tmp_path, filled_in)
    for section in ("radio", "outbox", "metrics", "health", "log", "homeassistant"):
        assert getattr(config, section)._asdict() == given[section]


def test_the_reference_in_the_documentation_is_the_tables(tmp_path):
    assert config_reference() in (DOCS / "gateway.md").read_text()


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ('id = "6a7e0001"', 'id = "6A7E"', "gateway.id: no gateway's id; write eight lower-case hexadecimal digits"),
        ('url = "mqtt:', 'url = "http:', "broker.url: "),
        ('url = "mqtt://', 'url = "mqtt://me:secret@', "broker.url: a password does not belong in this file"),
        ("#links", 'links = ["bla:"]\n#links', "gateway.links[0]: "),
        ("#profile", 'profile = "house"\n#profile', 'gateway.profile: "house" is no choice here; did you mean "home"?'),
        ('centre = "centre.key"', 'centre = "none.key"', "keys.centre: none.key: cannot be read"),
        ('#password_file = "', 'password_file = "centre.key"\n#', "broker.password_file: a password without a user; add broker.user"),
        ("#reserve_mib = 32", "reserve_mib = 300", "outbox.reserve_mib: leaves no room below limit_mib = 256; write less"),
        ('#address = "127.0.0.1:9477"', 'address = "9477"', 'metrics.address: "9477" is no address; write "127.0.0.1:9477"'),
        ("#[[sensor]]", '[[sensor]]\nkind = "mains"', "sensor[0]: a sensor mains wants either file or command"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_line_at_its_place(tmp_path, filled_in, before, after, told):
    text = filled_in.replace(before, after, 1)
    line = text[: text.index(after)].count("\n") + 1
    (found,) = mistakes(tmp_path, text)
    assert found.startswith(f"gateway.toml:{line}: {told}")
    assert "secret" not in found


def test_a_key_that_others_can_read_is_refused(tmp_path, filled_in):
    (tmp_path / "centre.key").chmod(0o640)
    (found,) = mistakes(tmp_path, filled_in)
    assert "keys.centre: centre.key: others on this machine can reach this secret; chmod 600" in found


def test_a_key_file_with_something_else_in_it_is_not_quoted(tmp_path, filled_in):
    write_private(tmp_path / "centre.key", "5a" * 31 + "\n")
    (found,) = mistakes(tmp_path, filled_in)
    assert "centre.key:1: a key is 64 hexadecimal digits" in found
    assert "5a5a" not in found


def test_tags_that_others_can_read_are_refused(tmp_path, filled_in):
    write_tags(tmp_path / "tags.json", HandMadeTag())
    text = filled_in.replace('#tags = "', 'tags = "tags.json"\n#', 1)
    assert read(tmp_path, text).tags_file == tmp_path / "tags.json"
    (tmp_path / "tags.json").chmod(0o644)
    (found,) = mistakes(tmp_path, text)
    assert "keys.tags: tags.json: others on this machine can reach these keys; chmod 600" in found


def test_the_password_is_read_from_its_file_and_from_nowhere_else(tmp_path, filled_in):
    write_private(tmp_path / "password", "s p:a@ce\nmore\n")
    text = filled_in.replace("[broker]", '[broker]\nuser = "gw"\npassword_file = "password"')
    config = read(tmp_path, text)
    assert config.broker_url() == "mqtt://gw:s%20p%3Aa%40ce@127.0.0.1:1883"
    assert "s p:a@ce" not in repr(config)


def test_the_broker_may_come_from_the_environment(tmp_path, filled_in):
    variables = {"STRAPLINE_GATEWAY_BROKER_URL": "mqtts://far:8884"}
    assert read(tmp_path, filled_in, variables).broker.url == "mqtts://far:8884"
    told = mistakes(tmp_path, filled_in, {"STRAPLINE_GATEWAY_BROKER_URL": "far"})
    assert told[0].startswith("environment STRAPLINE_GATEWAY_BROKER_URL: ")


def test_a_configuration_of_format_0_is_one_without_the_key(tmp_path, filled_in):
    before = filled_in.replace("format = 1\n", "", 1)
    assert "format" not in tomllib.loads(before)
    assert read(tmp_path, before) == read(tmp_path, filled_in)
