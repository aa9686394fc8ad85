"""The key that a gateway and its centre share, and its file. While one key is changed for another, both ends open both."""

import re
import secrets
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Self

from strapline_protocol.durable import write_new
from strapline_protocol.errors import UserError
from strapline_protocol.private_file import read_private

LINK_KEY_SIZE = 32

_LINK_KEY = re.compile(rf"[0-9a-fA-F]{{{2 * LINK_KEY_SIZE}}}")


class LinkKey(bytes):
    """The key that seals. What `others` have sealed is opened too, and then `on_other` is called with that key. Prints without them."""

    others: tuple[bytes, ...]
    on_other: Callable[[bytes], None]

    def __new__(
        cls, seals: bytes, others: Iterable[bytes] = (), on_other: Callable[[bytes], None] = lambda _key: None
    ) -> Self:
        made = super().__new__(cls, seals)
        made.others = tuple(others)
        made.on_other = on_other
        return made

    def __repr__(self) -> str:
        return f"{type(self).__name__}(not shown)"

    __str__ = __repr__


def others_of(key: bytes) -> tuple[bytes, ...]:
    """The other keys that open what this end hears; for a plain key none."""
    return key.others if isinstance(key, LinkKey) else ()


def note_other(key: bytes, other: bytes) -> None:
    """`other` has opened a message."""
    if isinstance(key, LinkKey):
        key.on_other(other)


def read_link_keys(path: Path) -> tuple[bytes, ...]:
    """The keys in a file, one a line in hexadecimal digits: the first seals, every one opens. UserError, which quotes none of it."""
    lines = [line.strip() for line in read_private(path).splitlines()]
    keys = []
    for number, line in enumerate(lines, 1):
        if not line or line.startswith("#"):
            continue
        if not _LINK_KEY.fullmatch(line):
            raise UserError(f"{path}:{number}: a key is {2 * LINK_KEY_SIZE} hexadecimal digits on a line of its own")
        keys.append(bytes.fromhex(line))
    if not keys:
        raise UserError(f"{path}: holds no key; `strapline gateway keys new` makes one")
    return tuple(dict.fromkeys(keys))


AWAITED = "# next: waits until the centre seals with it"
GOING = "# before: goes with `strapline gateway keys rotate --finish`"


def is_awaiting(path: Path) -> bool:
    """Whether the file holds a next key that the centre has not used yet; UserError."""
    return AWAITED in (line.strip() for line in read_private(path).splitlines())


def text_of_keys(keys: Iterable[bytes], more: Mapping[str, Iterable[bytes]] = {}) -> str:
    """A file of keys as text; `more` are further ones by the comment above them."""
    lines = [key.hex() for key in keys]
    for comment, others in more.items():
        lines += [comment, *(key.hex() for key in others)]
    return "\n".join(lines) + "\n"


def new_link_key() -> bytes:
    """A fresh one."""
    return secrets.token_bytes(LINK_KEY_SIZE)


def write_link_keys(path: Path, keys: Iterable[bytes]) -> None:
    """Make a file of keys that is not there yet; FileExistsError, OSError."""
    write_new(path, text_of_keys(keys).encode(), 0o600)
