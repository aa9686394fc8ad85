"""The tags' keys on this gateway's disk: those that were enrolled, and the next ones that the centre has handed out."""

import hashlib
import json
import os
from pathlib import Path
from typing import Any, NamedTuple

from strapline_gateway.status import TagStatus
from strapline_protocol import keyring
from strapline_protocol.durable import replace_private
from strapline_protocol.errors import UserError
from strapline_protocol.keys import GatewayKeys
from strapline_protocol.private_file import read_private

NEXT_FILE = "next-keys.json"
_FORMAT = 1


class NextKeys(NamedTuple):
    """Keys that a tag may come under, or has come under since it was provisioned."""

    keys: GatewayKeys
    generation: int
    in_force: bool
    """The tag has come under them: those of before open nothing any more."""


class TagKeys:
    """`enrolled` is what the key file says, by tag; `following` are the next keys, by tag and generation."""

    def __init__(self, file: Path, state: Path) -> None:
        """UserError for a file that cannot be read."""
        self._file = file
        self._next_file = state / NEXT_FILE
        self.enrolled: dict[str, GatewayKeys] = {}
        self.following: dict[str, dict[int, NextKeys]] = {}
        self.read()

    def read(self) -> None:
        """Read both files, the key file perhaps changed by now; UserError, and then all stays as it was."""
        enrolled = read_enrolled(self._file)
        following = self._read_next(enrolled)
        self.enrolled, self.following = enrolled, following

    def keep(self, keys: GatewayKeys, generation: int) -> None:
        """Remember a tag's next keys; they are on the disk when this returns. OSError."""
        held = self.following.setdefault(keys.tag, {})
        one = NextKeys(keys, generation, in_force=False)
        if generation in held and held[generation].keys == keys:
            return
        held[generation] = one
        self._write()

    def follow(self, status: list[TagStatus]) -> None:
        """The tags have come under the generations that the station says: those of before are forgotten. OSError."""
        changed = False
        for tag in status:
            held = self.following.get(tag.tag, {})
            now = held.get(tag.key_generation)
            if now is None or now.in_force:
                continue
            kept = {number: one for number, one in held.items() if number > tag.key_generation}
            self.following[tag.tag] = {tag.key_generation: now._replace(in_force=True), **kept}
            changed = True
        if changed:
            self._write()

    def current(self, tag: str) -> tuple[GatewayKeys, int]:
        """Under which the tag was last, and their generation: 0 is what was provisioned."""
        for one in self.following.get(tag, {}).values():
            if one.in_force:
                return one.keys, one.generation
        return self.enrolled[tag], 0

    def expected(self, tag: str) -> list[NextKeys]:
        """Under which it may come next, the earliest first."""
        held = self.following.get(tag, {})
        return [held[number] for number in sorted(held) if not held[number].in_force]

    def _read_next(self, enrolled: dict[str, GatewayKeys]) -> dict[str, dict[int, NextKeys]]:
        if not self._next_file.exists():
            return {}
        try:
            data = json.loads(read_private(self._next_file))
            if data["format"] != _FORMAT:
                raise UserError(f"{self._next_file}: not format {_FORMAT}; this version of strapline reads no other")
            told = data["tags"]
            return {
                tag: {one.generation: one for one in map(_from_json, [tag] * len(told[tag]["keys"]), told[tag]["keys"])}
                for tag, keys in enrolled.items()
                if tag in told and told[tag]["root"] == _root(keys)  # else it was provisioned anew since
            }
        except (ValueError, KeyError, TypeError, AttributeError):
            raise UserError(
                f"{self._next_file}: damaged; remove it, and the centre hands out the next keys again"
            ) from None

    def _write(self) -> None:
        tags = {
            tag: {"root": _root(self.enrolled[tag]), "keys": [_to_json(one) for one in held.values()]}
            for tag, held in sorted(self.following.items())
            if tag in self.enrolled and held
        }
        replace_private(self._next_file, json.dumps({"format": _FORMAT, "tags": tags}, indent=1) + "\n")


def read_enrolled(file: Path) -> dict[str, GatewayKeys]:
    """The tags of a key file, none where it is not there yet; UserError."""
    return {keys.tag: keys for keys in keyring.read_gateway_keys(file)} if file.exists() else {}


def write_enrolled(file: Path, enrolled: dict[str, GatewayKeys]) -> None:
    """Put a key file in place of the one that is there; UserError. Hold `keyring.locked` around it."""
    with keyring.successor(file, enrolled.values()) as put_in_place:
        put_in_place()
    give_to_owner(file)


def give_to_owner(file: Path) -> None:
    """What root writes into the folder of the gateway's user is that user's: it has to read it."""
    owner = file.resolve().parent.stat()
    if os.geteuid() == 0 and owner.st_uid != 0:
        os.chown(file, owner.st_uid, owner.st_gid)


def _root(keys: GatewayKeys) -> str:
    """A name for provisioned keys, from which none of them follows."""
    return hashlib.sha256(b"strapline/1 root" + keys.link + keys.broadcast + keys.header).hexdigest()[:16]


def _to_json(one: NextKeys) -> dict[str, Any]:
    shares = {name: value.hex() for name, value in one.keys._asdict().items() if isinstance(value, bytes)}
    return {"generation": one.generation, "in_force": one.in_force, **shares}


def _from_json(tag: str, told: dict[str, Any]) -> NextKeys:
    shares = {name: bytes.fromhex(told[name]) for name in GatewayKeys._fields[1:] if name in told}
    return NextKeys(GatewayKeys(tag, **shares), int(told["generation"]), bool(told["in_force"]))
