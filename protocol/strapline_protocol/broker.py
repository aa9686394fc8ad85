"""A broker's address, its refusals, and what MQTT says about topics and wills. Nothing about connections."""

from typing import NamedTuple
from urllib.parse import parse_qsl, unquote, urlsplit

from strapline_protocol.errors import UserError

VERSIONS = ("5", "3.1.1")

_FORM = "write mqtt://[user:password@]host[:port][?version=5|3.1.1], or mqtts:// for TLS"
_PORTS = {"mqtt": 1883, "mqtts": 8883}


class BrokerError(UserError):
    """No way to the broker: one line that names the place (host:port) and the mend, never a password."""


class Will(NamedTuple):
    """What the broker publishes when a client goes without a word, `delay_s` later (MQTT 5 only; at once on 3.1.1)."""

    topic: str
    payload: bytes
    qos: int = 1
    retain: bool = True
    delay_s: int = 0


class BrokerUrl(NamedTuple):
    """Where a broker is and how to log in; prints without the credentials."""

    scheme: str
    host: str
    port: int
    user: str | None
    password: str | None
    version: str | None

    @property
    def place(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    def __repr__(self) -> str:
        return f"{self.scheme}://{self.place}"


def parse_broker_url(url: str) -> BrokerUrl:
    """Read an `mqtt://` or `mqtts://` URL; BrokerError for anything else."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:  # whose text may quote the password
        raise BrokerError(f"the broker's URL cannot be read; {_FORM}") from None
    if parts.scheme not in _PORTS or not host or parts.path not in ("", "/") or parts.fragment or port == 0:
        raise BrokerError(f"not a broker's URL; {_FORM}")
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    version = options.pop("version", None)
    if options or (version is not None and version not in VERSIONS):
        raise BrokerError(f"{host}: a broker's URL has no option but version=5 or version=3.1.1; {_FORM}")
    user, password = (None if part is None else unquote(part) for part in (parts.username, parts.password))
    return BrokerUrl(parts.scheme, host, port or _PORTS[parts.scheme], user, password, version)


def topic_matches(topic_filter: str, topic: str) -> bool:
    """Whether a subscription to `topic_filter` (also `$share/GROUP/…`) covers `topic`, as MQTT 5, section 4.7 says."""
    if topic_filter.startswith("$share/"):
        topic_filter = topic_filter.split("/", 2)[2]
    wanted, levels = topic_filter.split("/"), topic.split("/")
    if topic.startswith("$") and wanted[0] in ("+", "#"):
        return False
    for index, level in enumerate(wanted):
        if level == "#":
            return True
        if index >= len(levels) or level not in ("+", levels[index]):
            return False
    return len(wanted) == len(levels)


def check_topic(topic: str) -> None:
    """ValueError for what cannot be published to."""
    if not topic or "+" in topic or "#" in topic:
        raise ValueError(f"not a topic to publish to: {topic!r}")
