"""The simulated tags' secrets and the shares of their keys, in a folder: what a board and `strapline provision` are to real ones."""

import json
import secrets
from pathlib import Path
from typing import NamedTuple

from strapline_protocol.durable import replace_private
from strapline_protocol.errors import UserError
from strapline_protocol.keyring import is_tag_id, locked, successor
from strapline_protocol.keys import centre_keys, gateway_keys
from strapline_protocol.link_key import new_link_key, read_link_keys, write_link_keys
from strapline_protocol.private_file import read_private
from strapline_wire.keys import KEY_SIZE

FIRST_TAG = 0x7A5A0001
FIRST_GATEWAY = 0x6A5A0001

TAGS, FOR_GATEWAYS, FOR_CENTRE = "simulated-tags.json", "gateway-keys.json", "centre-keys.json"

_COUNTERS_A_LIFE = 1 << 20
"""A life begins so far above the one before that no heartbeat is told twice."""


class Identity(NamedTuple):
    """One tag; prints without its secret."""

    tag: str
    secret: bytes
    lives: int
    """How often it has started before."""

    def __repr__(self) -> str:
        return f"Identity({self.tag})"

    @property
    def memory(self) -> dict[str, int]:
        """What it has kept from its earlier lives."""
        return {"boot": self.lives, "counter": self.lives * _COUNTERS_A_LIFE}


def tags_in(folder: Path, count: int, *, begin: bool = True) -> list[Identity]:
    """The first `count` tags of a folder; those that are not there yet are made, and the shares of their keys written beside them.

    `begin`: a life of theirs begins now, which is written down.
    """
    _make(folder)
    path = folder / TAGS
    with locked(path):
        known = _read(path) if path.exists() else []
        ids = [f"{FIRST_TAG + number:08x}" for number in range(max(count, len(known)))]
        new = [Identity(tag, secrets.token_bytes(KEY_SIZE), 0) for tag in ids[len(known) :]]
        everybody = known + new
        after = [one._replace(lives=one.lives + begin) if at < count else one for at, one in enumerate(everybody)]
        _write(path, after)
        if new:
            _write_shares(folder, everybody)
    return everybody[:count]


def gateways_in(folder: Path, count: int) -> dict[str, bytes]:
    """The keys that simulated gateways share with the centre, by id; made where they are not there yet."""
    keys = {}
    for number in range(count):
        ident = f"{FIRST_GATEWAY + number:08x}"
        path = folder / f"link-{ident}.key"
        if not path.exists():
            write_link_keys(path, [new_link_key()])
        keys[ident] = read_link_keys(path)[0]
    return keys


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"--keys {folder}: {error.strerror}; give a folder that can be written") from None


def _read(path: Path) -> list[Identity]:
    try:
        held = json.loads(read_private(path))
        known = [Identity(tag, bytes.fromhex(one["secret"]), int(one["lives"])) for tag, one in held.items()]
    except (ValueError, KeyError, TypeError, AttributeError):
        raise UserError(f"{path}: holds no simulated tags; name another folder with --keys") from None
    if not all(is_tag_id(one.tag) and len(one.secret) == KEY_SIZE for one in known):
        raise UserError(f"{path}: holds no simulated tags; name another folder with --keys")
    return known


def _write(path: Path, everybody: list[Identity]) -> None:
    held = {one.tag: {"secret": one.secret.hex(), "lives": one.lives} for one in everybody}
    try:
        replace_private(path, json.dumps(held))
    except OSError as error:
        raise UserError(f"--keys {path.parent}: {error.strerror}; give a folder that can be written") from None


def _write_shares(folder: Path, everybody: list[Identity]) -> None:
    with successor(folder / FOR_GATEWAYS, [gateway_keys(one.tag, one.secret) for one in everybody]) as put_in_place:
        put_in_place()
    with successor(folder / FOR_CENTRE, [centre_keys(one.tag, one.secret) for one in everybody]) as put_in_place:
        put_in_place()
