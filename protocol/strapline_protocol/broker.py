"""A broker's address, its refusals, and what MQTT says about topics and wills. Nothing about connections."""

from functools import lru_cache
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from strapline_protocol.errors import UserError

VERSIONS = ("5", "3.1.1")

_FORM = (
    "write mqtt://[user:password@]host[:port][,host[:port]…][?version=5|3.1.1],"
    " or mqtts:// for TLS with &ca=FILE&cert=FILE&key=FILE"
)
_PORTS = {"mqtt": 1883, "mqtts": 8883}
_FILES = ("ca", "cert", "key")


class BrokerError(UserError):
    """No way to the broker: one line that names the place (host:port) and the mend, never a password."""


class Will(NamedTuple):
    """What the broker publishes when a client goes without a word, `delay_s` later (MQTT 5 only; at once on 3.1.1)."""

    topic: str
    payload: bytes
    qos: int = 1
    retain: bool = True
    delay_s: int = 0


class Address(NamedTuple):
    """One broker of a cluster."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class BrokerUrl(NamedTuple):
    """Where a broker is and how to log in; prints without the credentials."""

    scheme: str
    host: str
    port: int
    user: str | None
    password: str | None
    version: str | None
    ca: str | None = None
    """A file with the certificates that vouch for the broker's; None: those that the system trusts."""
    cert: str | None = None
    """A file with the client's certificate, and `key` the one with its key."""
    key: str | None = None
    others: tuple[Address, ...] = ()
    """Further brokers of the same cluster, for when this one is away."""

    @property
    def addresses(self) -> tuple[Address, ...]:
        return (Address(self.host, self.port), *self.others)

    @property
    def place(self) -> str:
        return ",".join(str(address) for address in self.addresses)

    def __repr__(self) -> str:
        return f"{self.scheme}://{self.place}"


def parse_broker_url(url: str) -> BrokerUrl:
    """Read an `mqtt://` or `mqtts://` URL; BrokerError for anything else."""
    try:
        parts = urlsplit(url)
        login, at, hosts = parts.netloc.rpartition("@")
        every = [urlsplit(f"//{login}{at}{host}") for host in hosts.split(",")]
        user, password = (None if part is None else unquote(part) for part in (every[0].username, every[0].password))
        addresses = [Address(one.hostname or "", _port(one.port, parts.scheme)) for one in every]
    except (ValueError, KeyError):  # whose text may quote the password
        raise BrokerError(f"the broker's URL cannot be read; {_FORM}") from None
    if (
        parts.scheme not in _PORTS
        or not all(host for host, _ in addresses)
        or parts.path not in ("", "/")
        or parts.fragment
    ):
        raise BrokerError(f"not a broker's URL; {_FORM}")
    options = _options(addresses[0].host, parts.scheme, parts.query)
    ca, cert, key = (options.get(name) for name in _FILES)
    version, others = options.get("version"), tuple(addresses[1:])
    return BrokerUrl(parts.scheme, *addresses[0], user, password, version, ca, cert, key, others)


def _port(given: int | None, scheme: str) -> int:
    if given == 0:
        raise ValueError
    return given or _PORTS[scheme]


def _options(host: str, scheme: str, query: str) -> dict[str, str]:
    # A plus stays one, unlike in a form: it may be in a file's name.
    options = {name: unquote(value) for name, _, value in (one.partition("=") for one in query.split("&") if one)}
    if options.keys() - {"version", *_FILES} or options.get("version", "5") not in VERSIONS:
        raise BrokerError(
            f"{host}: a broker's URL has no option but version=5, version=3.1.1, ca=, cert= and key=; {_FORM}"
        )
    if scheme != "mqtts" and options.keys() & set(_FILES):
        raise BrokerError(f"{host}: certificates are for TLS; {_FORM}")
    if ("cert" in options) != ("key" in options):
        raise BrokerError(f"{host}: cert= and key= belong together; give both; {_FORM}")
    if empty := [name for name in _FILES if options.get(name) == ""]:
        raise BrokerError(f"{host}: {empty[0]}= names no file; write {empty[0]}=FILE; {_FORM}")
    return options


@lru_cache(maxsize=4096)
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
