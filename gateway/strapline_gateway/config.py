"""What a person decides about a gateway: the declaration of its configuration file, and what one key alone cannot tell."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple
from urllib.parse import quote, urlsplit, urlunsplit

from strapline_gateway.transports import parse as parse_link
from strapline_protocol.broker import parse_broker_url
from strapline_protocol.contract import is_ident
from strapline_protocol.errors import UserError
from strapline_protocol.keyring import read_gateway_keys
from strapline_protocol.link_key import read_link_keys
from strapline_protocol.private_file import read_password
from strapline_protocol.settings import Key, Mistake, environment_of, load
from strapline_protocol.settings_text import reference, template
from strapline_protocol.web_pages import check_address

FORMAT = 1
PREFIX = "STRAPLINE_GATEWAY"

HEAD = f"""Strapline gateway: its configuration. Fill in what has no # before it; the rest shows the defaults.
Check it: strapline gateway config --check FILE. Run it: strapline gateway run --config FILE.
A relative path starts at this file's folder. A variable {PREFIX}_SECTION_KEY takes the place of a key, for example
{PREFIX}_BROKER_URL. No password and no key belongs in this file: name files that only the gateway's user can read."""


def _check_id(text: str) -> None:
    if not is_ident(text):
        raise UserError("no gateway's id; write eight lower-case hexadecimal digits")


def _check_broker(url: str) -> None:
    if parse_broker_url(url).password is not None:
        raise UserError(
            "a password does not belong in this file; write it to a file and name that in broker.password_file"
        )


def _check_tags(path: Path) -> None:
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return  # not there yet: the first `enrol` makes it
    except OSError:
        pass  # told below
    read_gateway_keys(path)


class Identity(NamedTuple):
    """The section `gateway`."""

    id: Annotated[
        str,
        Key("The gateway's id, its own in the whole system: eight hexadecimal digits.", check=_check_id, example='""'),
    ]
    state: Annotated[
        Path,
        Key(
            "Folder for what must outlive a restart: outbox, tags, control socket.",
            example='"/var/lib/strapline-gateway"',
        ),
    ] = Path("/var/lib/strapline-gateway")
    profile: Annotated[
        Literal["home", "facility", "ingress"],
        Key(
            "home: its tags live here. facility: one of several readers in a building. ingress: tags call it over TCP."
        ),
    ] = "home"
    links: Annotated[
        tuple[str, ...],
        Key(
            'Where tags are heard: "ble:", "ble:hci1", "serial:/dev/ttyUSB0@115200", "tcp:0.0.0.0:7070".',
            check=parse_link,
            example='["ble:"]',
        ),
    ] = ("ble:",)


class KeyFiles(NamedTuple):
    """The section `keys`."""

    centre: Annotated[
        Path,
        Key(
            "File with the key that gateway and centre share, made by `strapline gateway keys new`; where the gateway may replace it.",
            check=read_link_keys,
            example='""',
        ),
    ]
    tags: Annotated[
        Path | None,
        Key(
            "Key file of the tags, as `strapline provision` and `strapline gateway enrol` write it. In the state folder unless given.",
            check=_check_tags,
            example='"/var/lib/strapline-gateway/tags.json"',
        ),
    ] = None


class BrokerAccess(NamedTuple):
    """The section `broker`."""

    url: Annotated[
        str,
        Key(
            'Where the broker is: "mqtts://host:8883", for a trial "mqtt://127.0.0.1:1883".',
            check=_check_broker,
            example='""',
        ),
    ]
    user: Annotated[str, Key("User name, where the broker wants one.", example='"gateway"')] = ""
    password_file: Annotated[
        Path | None,
        Key("File whose first line is the password.", check=read_password, example='"/etc/strapline/broker.password"'),
    ] = None
    connect_timeout_s: Annotated[float, Key("How long one attempt to connect may take.", unit="s", low=1, high=60)] = (
        10.0
    )


class RadioCare(NamedTuple):
    """The section `radio`."""

    deaf_after_s: Annotated[
        float, Key("A radio that hears nobody for so long is begun anew.", unit="s", low=1, high=3600)
    ] = 90.0


class PresenceRules(NamedTuple):
    """The section `presence`."""

    range_class: Annotated[
        Literal["any", "11m", "23m", "46m", "80m", "facility"],
        Key("How near a tag must be to count as here, by the path loss. any: whoever is heard is here."),
    ] = "any"
    reach_dbm: Annotated[
        float | None,
        Key(
            "The same as a signal, from a guided range test; goes before range_class.",
            unit="dBm",
            low=-120,
            high=0,
            example="-84.0",
        ),
    ] = None
    leave_after_s: Annotated[float, Key("So long away before a tag counts as gone.", unit="s", low=10, high=3600)] = (
        300.0
    )
    curfew_leave_after_s: Annotated[
        float, Key("The same while its schedule says home, where this gateway has one.", unit="s", low=10, high=3600)
    ] = 30.0


class OutboxLimits(NamedTuple):
    """The section `outbox`."""

    limit_mib: Annotated[
        int, Key("Disk for what waits for the centre; 1.2 MiB a tag hold ten days.", unit="MiB", low=4, high=1048576)
    ] = 256
    reserve_mib: Annotated[
        int, Key("Of these, what positions leave alone: room for alarms and events.", unit="MiB", low=1, high=1048576)
    ] = 32


class Watching(NamedTuple):
    """The section `metrics`."""

    address: Annotated[
        str,
        Key('Where /metrics, /healthz and /readyz are served; "" for nowhere.', check=check_address),
    ] = "127.0.0.1:9477"


class Health(NamedTuple):
    """The section `health`."""

    alarm_overdue_s: Annotated[
        float, Key("The gateway is not ready while an alarm waits for longer than this.", unit="s", low=1, high=86400)
    ] = 240.0


class HomeAssistant(NamedTuple):
    """The section `homeassistant`."""

    discovery: Annotated[
        bool, Key("Show tags in Home Assistant, in a laboratory: in clear, for everybody on the broker.")
    ] = False
    prefix: Annotated[str, Key("Home Assistant's discovery prefix.")] = "homeassistant"


class Sensor(NamedTuple):
    """One of the gateway's own sensors."""

    kind: Annotated[
        Literal["mains", "battery", "case", "line", "motion"],
        Key(
            "What it tells. mains, case and line: 1 or 0 (there, open, up); battery: percent; motion: mg off from rest."
        ),
    ]
    file: Annotated[
        Path | None,
        Key("A file that holds the reading, as sysfs has them.", example='"/sys/class/power_supply/AC/online"'),
    ] = None
    command: Annotated[
        tuple[str, ...],
        Key("A program that prints the reading, with its arguments.", example='["/usr/local/bin/read-case"]'),
    ] = ()
    every_s: Annotated[float, Key("How often it is read.", unit="s", low=0.1, high=3600)] = 1.0
    inverted: Annotated[bool, Key("1 means 0 and 0 means 1.")] = False


class Logging(NamedTuple):
    """The section `log`, on standard error."""

    format: Annotated[
        Literal["auto", "json", "logfmt", "console"],
        Key("auto: console at a terminal, logfmt elsewhere."),
    ] = "auto"
    level: Annotated[Literal["debug", "info", "warning", "error"], Key("The least that is logged.")] = "info"


class Config(NamedTuple):
    """A whole configuration file, checked."""

    format: Annotated[int, Key("Version of this file's format.", low=FORMAT, high=FORMAT, example=str(FORMAT))]
    gateway: Annotated[Identity, Key("Who this gateway is.")]
    keys: Annotated[KeyFiles, Key("Whose keys it holds.")]
    broker: Annotated[BrokerAccess, Key("The way to the centre.")]
    radio: Annotated[RadioCare, Key("The links ble:.")] = RadioCare()
    presence: Annotated[PresenceRules, Key("Who is here.")] = PresenceRules()
    outbox: Annotated[OutboxLimits, Key("What waits on the disk for the centre's receipt.")] = OutboxLimits()
    metrics: Annotated[Watching, Key("How it is watched: /metrics for Prometheus, /healthz, /readyz.")] = Watching()
    health: Annotated[Health, Key("When /readyz says no.")] = Health()
    log: Annotated[Logging, Key("What it says of itself, on standard error.")] = Logging()
    homeassistant: Annotated[HomeAssistant, Key("For laboratories.")] = HomeAssistant()
    sensor: Annotated[tuple[Sensor, ...], Key("The gateway's own sensors, a table each.")] = ()

    @property
    def tags_file(self) -> Path:
        """Where the tags' keys are; it need not be there yet."""
        return self.keys.tags or self.gateway.state / "tags.json"

    def broker_url(self) -> str:
        """With the password in it: for the client alone."""
        access = self.broker
        if not access.user:
            return access.url
        password = "" if access.password_file is None else f":{quote(read_password(access.password_file), safe='')}"
        parts = urlsplit(access.url)
        host = parts.netloc.rpartition("@")[2]
        return urlunsplit(parts._replace(netloc=f"{quote(access.user, safe='')}{password}@{host}"))


def _declare_format(data: dict[str, Any]) -> dict[str, Any]:
    """Format 0 is format 1 from before the key `format`: the keys are the same."""
    return {**data, "format": 1}


UPGRADES: Mapping[int, Callable[[dict[str, Any]], dict[str, Any]]] = {0: _declare_format}


def read_config(path: Path, environment: Mapping[str, str] | None = None) -> Config:
    """The configuration; UserError with every mistake, a line each. Variables are those of the process unless given."""
    return load(
        path,
        Config,
        upgrades=UPGRADES,
        more=_more,
        environment=environment_of(PREFIX) if environment is None else environment,
        prefix=PREFIX,
        hint="`strapline gateway config > FILE` prints a template",
    )


def _more(config: Config) -> Iterator[Mistake]:
    if config.broker.password_file is not None and not config.broker.user:
        yield Mistake(("broker", "password_file"), "a password without a user; add broker.user")
    if config.outbox.reserve_mib >= config.outbox.limit_mib:
        yield Mistake(
            ("outbox", "reserve_mib"), f"leaves no room below limit_mib = {config.outbox.limit_mib}; write less"
        )
    for index, sensor in enumerate(config.sensor):
        if (sensor.file is None) == (not sensor.command):
            yield Mistake(("sensor", index), f"a sensor {sensor.kind} wants either file or command")


def config_template() -> str:
    """The commented template."""
    return template(Config, HEAD)


def config_reference() -> str:
    """The reference as Markdown."""
    return reference(Config)
