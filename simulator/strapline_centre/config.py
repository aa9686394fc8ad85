"""What a person decides about a centre: the declaration of its configuration file, and what one key alone cannot tell."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal, NamedTuple
from urllib.parse import quote, urlsplit, urlunsplit
from zoneinfo import ZoneInfo, available_timezones

from sqlalchemy import make_url
from sqlalchemy.exc import SQLAlchemyError

from strapline_centre.database import sqlite_url
from strapline_centre.escalation import STEPS, Step
from strapline_centre.schedule import Schedule, Window, window_of
from strapline_centre.sentry import Limits
from strapline_protocol.broker import parse_broker_url
from strapline_protocol.contract import BEAT_S, SILENT_AFTER_S, is_ident
from strapline_protocol.errors import UserError
from strapline_protocol.keyring import read_centre_keys
from strapline_protocol.link_key import LinkKey, read_link_keys
from strapline_protocol.private_file import read_password
from strapline_protocol.settings import Key, Mistake, environment_of, load
from strapline_protocol.settings_text import reference, template
from strapline_protocol.web_pages import check_address

FORMAT = 1
PREFIX = "STRAPLINE_CENTRE"

HEAD = f"""Strapline centre: its configuration. Fill in what has no # before it; the rest shows the defaults.
Check it: strapline centre config --check FILE. Run it: strapline centre run --config FILE.
A relative path starts at this file's folder. A variable {PREFIX}_SECTION_KEY takes the place of a key, for example
{PREFIX}_BROKER_URL. No password and no key belongs in this file: name files that only the centre's user can read.
Nothing here names a person: tags, gateways and roles are all that a centre knows."""


def _check_ident(text: str) -> None:
    if not is_ident(text):
        raise UserError("no id; write eight lower-case hexadecimal digits")


def _check_broker(url: str) -> None:
    if parse_broker_url(url).password is not None:
        raise UserError("a password does not belong in this file; name a file with it in broker.password_file")


def _check_ledger(url: str) -> None:
    if url and not url.startswith(("sqlite:///", "postgresql://")):
        raise UserError("no database's URL; write sqlite:////var/lib/strapline/ledger.sqlite or postgresql://host/name")
    try:
        password, _port = make_url(url).password if url else None, urlsplit(url).port
    except (SQLAlchemyError, ValueError):  # whose text may quote the password
        raise UserError("the database's URL cannot be read; write postgresql://[user@]host[:port]/name") from None
    if password is not None:
        raise UserError("a password does not belong in this file; name a file with it in ledger.password_file")


def _check_tags(path: Path) -> None:
    read_centre_keys(path)


def _check_key(path: Path) -> None:
    read_link_keys(path)


def _check_zone(name: str) -> None:
    if name not in available_timezones():
        raise UserError(f'"{name}" is no time zone; write one such as "Europe/Berlin"')


def _check_role(role: str) -> None:
    if not role.strip():
        raise UserError("no role; write one such as secondary")


def _check_window(text: str) -> None:
    parse_window(text)


def parse_window(text: str) -> Window:
    """`07:30-17:30`; UserError."""
    try:
        return window_of(text)
    except ValueError as error:
        raise UserError(str(error)) from None


def _check_windows(windows: tuple[str, ...]) -> None:
    for text in windows:
        parse_window(text)


class CentreSection(NamedTuple):
    """The section `centre`."""

    state: Annotated[
        Path, Key("Folder for the ledger, the control socket and the lock; no gateway's", example='"centre"')
    ]


class BrokerSection(NamedTuple):
    """The section `broker`."""

    url: Annotated[
        str,
        Key(
            "The MQTT broker; mqtts:// takes ?ca=FILE&cert=FILE&key=FILE",
            check=_check_broker,
            example='"mqtt://127.0.0.1:1883"',
        ),
    ]
    password_file: Annotated[
        Path | None, Key("File whose first line is the broker's password", example='"broker.password"')
    ] = None
    client_id: Annotated[str, Key("The centre's MQTT client id")] = "strapline-centre"


class LedgerSection(NamedTuple):
    """The section `ledger`."""

    url: Annotated[
        str,
        Key(
            "The ledger's database, SQLite or PostgreSQL; without it ledger.sqlite in the state folder",
            check=_check_ledger,
            example='"postgresql://strapline@db.example/strapline"',
        ),
    ] = ""
    password_file: Annotated[
        Path | None, Key("File whose first line is the database's password", example='"database.password"')
    ] = None


class TagsSection(NamedTuple):
    """The section `tags`."""

    keys: Annotated[
        Path,
        Key(
            "The centre's key file of the tags, as strapline provision writes it",
            check=_check_tags,
            example='"centre-keys.json"',
        ),
    ]


class GatewaySection(NamedTuple):
    """One `gateway`."""

    id: Annotated[str, Key("The gateway's id", check=_check_ident, example='"6a7e0001"')]
    key: Annotated[
        Path,
        Key(
            "File with the key that gateway and centre share, as strapline gateway keys new makes it",
            check=_check_key,
            example='"gateway-6a7e0001.key"',
        ),
    ]
    site: Annotated[
        str, Key("Gateways of one site can hear one tag together; between sites it takes a way", example='"Elm Street"')
    ] = ""


class PersonSection(NamedTuple):
    """One `person`."""

    tag: Annotated[str, Key("The id of the tag that is worn", check=_check_ident, example='"7a900001"')]
    zone: Annotated[str, Key("The time zone in which the windows are meant", check=_check_zone)] = "UTC"
    may_leave: Annotated[
        tuple[str, ...],
        Key(
            "Daily windows in which home may be left; with none given, no leaving is judged", example='["07:30-17:30"]'
        ),
    ] = ()
    gateways: Annotated[
        tuple[str, ...], Key("Gateways that hold this tag's keys; none given: all", example='["6a7e0001"]')
    ] = ()
    judged_by: Annotated[
        tuple[str, ...], Key("Gateways that are given the schedule, and judge by it themselves", example='["6a7e0001"]')
    ] = ()


class WatchSection(NamedTuple):
    """The section `watch`."""

    gateway_silent_s: Annotated[float, Key("A gateway that says nothing for so long is silent", "s", 1, 86400)] = (
        SILENT_AFTER_S
    )
    tag_silent_min: Annotated[
        float, Key("The same for a monitored tag; it sends a beacon each 4 h; 0: not watched", "min", 0, 20160)
    ] = 270.0
    gap_min: Annotated[
        float, Key("Records that are missing for so long after later ones came are told of", "min", 0.01, 20160)
    ] = 270.0
    beat_s: Annotated[float, Key("So often each gateway is told that the centre is there", "s", 1, 3600)] = BEAT_S


class EscalationSection(NamedTuple):
    """One step of `escalation`."""

    after_min: Annotated[float, Key("After so long without an acknowledgement", "min", 0, 1440, example="15")]
    role: Annotated[str, Key("this role is told", check=_check_role, example='"secondary"')]


class HookSection(NamedTuple):
    """The section `hook`."""

    command: Annotated[
        tuple[str, ...],
        Key(
            "A program with its arguments that tells people; gets the alert and the role as JSON on standard input",
            example='["/usr/local/bin/tell"]',
        ),
    ] = ()
    limit_s: Annotated[float, Key("So long may it take", "s", 0.1, 600)] = 30.0


class MetricsSection(NamedTuple):
    """The section `metrics`."""

    address: Annotated[
        str, Key("Where /metrics, /healthz and /readyz are served; empty: nowhere", check=check_address)
    ] = "127.0.0.1:9478"


class LogSection(NamedTuple):
    """The section `log`."""

    format: Annotated[
        Literal["auto", "json", "logfmt", "console"],
        Key("How a line is written; auto: console on a terminal, else logfmt"),
    ] = "auto"
    level: Annotated[Literal["debug", "info", "warning", "error"], Key("The least that is logged")] = "info"


class Config(NamedTuple):
    """The whole file."""

    centre: Annotated[CentreSection, Key("Who it is.")]
    broker: Annotated[BrokerSection, Key("How it reaches its gateways.")]
    tags: Annotated[TagsSection, Key("What it opens.")]
    format: Annotated[int, Key("The form of this file", low=FORMAT, high=FORMAT)] = FORMAT
    ledger: Annotated[LedgerSection, Key("Where the record is kept.")] = LedgerSection()
    gateway: Annotated[tuple[GatewaySection, ...], Key("Whose word it takes; one section for each gateway.")] = ()
    person: Annotated[
        tuple[PersonSection, ...], Key("Who wears which tag, without a name: one section for each schedule.")
    ] = ()
    watch: Annotated[WatchSection, Key("What silence is.")] = WatchSection()
    escalation: Annotated[
        tuple[EscalationSection, ...],
        Key(
            "Who is told when nobody acknowledges. Without any: primary at once, secondary after 15 min, tertiary 30, inquiry 105."
        ),
    ] = ()
    hook: Annotated[HookSection, Key("How they are told.")] = HookSection()
    metrics: Annotated[MetricsSection, Key("Who watches it.")] = MetricsSection()
    log: Annotated[LogSection, Key("What it says on standard error.")] = LogSection()

    @property
    def broker_url(self) -> str:
        """With the password from its file."""
        return _with_password(self.broker.url, self.broker.password_file)

    @property
    def ledger_url(self) -> str:
        """With the password from its file."""
        return _with_password(
            self.ledger.url or sqlite_url(self.centre.state / "ledger.sqlite"), self.ledger.password_file
        )

    @property
    def gateway_keys(self) -> dict[str, bytes]:
        read = {one.id: read_link_keys(one.key) for one in self.gateway}
        return {ident: LinkKey(keys[0], keys[1:]) if keys[1:] else keys[0] for ident, keys in read.items()}

    @property
    def sites(self) -> dict[str, str]:
        return {one.id: one.site for one in self.gateway if one.site}

    @property
    def limits(self) -> Limits:
        w = self.watch
        return Limits(w.gateway_silent_s, w.tag_silent_min * 60 or None, w.gap_min * 60, w.beat_s)

    @property
    def steps(self) -> tuple[Step, ...]:
        return tuple(Step(one.after_min * 60, one.role) for one in self.escalation) or STEPS

    def schedule(self, tag: str) -> Schedule | None:
        """Of the tag's wearer; None where no leaving is judged."""
        for one in self.person:
            if one.tag == tag and one.may_leave:
                return Schedule(ZoneInfo(one.zone), tuple(map(parse_window, one.may_leave)))
        return None


def _with_password(url: str, file: Path | None) -> str:
    if file is None:
        return url
    parts = urlsplit(url)
    user, _, place = parts.netloc.rpartition("@")
    return urlunsplit(parts._replace(netloc=f"{user}:{quote(read_password(file), safe='')}@{place}"))


def _more(config: Config) -> Iterator[Mistake]:
    known = {one.tag for one in read_centre_keys(config.tags.keys)}
    gateways = [one.id for one in config.gateway]
    if not config.gateway:
        yield Mistake(("gateway",), "none: a centre takes nobody's word then; write a section [[gateway]] for each")
    for at, one in enumerate(config.gateway):
        if one.id in gateways[:at]:
            yield Mistake(("gateway", at, "id"), f"{one.id} stands here twice; one section for each gateway")
    for at, person in enumerate(config.person):
        if person.tag not in known:
            yield Mistake(("person", at, "tag"), f"{person.tag} has no key in {config.tags.keys}; provision it first")
        if person.tag in [one.tag for one in config.person[:at]]:
            yield Mistake(("person", at, "tag"), f"{person.tag} stands here twice; one section for each tag")
        for name in ("gateways", "judged_by"):
            for ident in getattr(person, name):
                if ident not in gateways:
                    yield Mistake(("person", at, name), f"{ident} is no gateway here; add a section [[gateway]] for it")
        for text in person.may_leave:
            try:
                parse_window(text)
            except UserError as error:
                yield Mistake(("person", at, "may_leave"), str(error))
    if config.hook.command and shutil.which(config.hook.command[0]) is None:
        text = f"{config.hook.command[0]} is no program that can be run, so nobody would be told; name one, executable"
        yield Mistake(("hook", "command"), text)
    for name, section in (("broker", config.broker), ("ledger", config.ledger)):
        if section.password_file is not None and not urlsplit(section.url).username:
            yield Mistake((name, "password_file"), f"a password without a user; write the user into {name}.url")


def read_config(path: Path) -> Config:
    """A configuration; UserError with a line for each mistake."""
    hint = "`strapline centre config` prints one to fill in"
    return load(path, Config, more=_more, environment=environment_of(PREFIX), prefix=PREFIX, hint=hint)


def config_template() -> str:
    return template(Config, HEAD)


def config_reference() -> str:
    return reference(Config)
