"""Files with secrets that a person names in a configuration: a key of a gateway and its centre, a password."""

import os
import re
import shlex
import stat
from pathlib import Path

from strapline_protocol.errors import UserError

LINK_KEY_SIZE = 32
"""Bytes of the key that a gateway and its centre share."""

_LONGEST = 65536
_LINK_KEY = re.compile(rf"[0-9a-fA-F]{{{2 * LINK_KEY_SIZE}}}")
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def read_private(path: Path) -> str:
    """The text of a file that nobody else on this machine can reach; UserError, which quotes none of it."""
    try:
        about = path.stat()
        if not stat.S_ISREG(about.st_mode) or about.st_size > _LONGEST:
            raise UserError(f"{path}: no file with a secret; name the right one")
        if os.name == "posix" and about.st_mode & _OTHERS:
            raise UserError(f"{path}: others on this machine can reach this secret; chmod 600 {shlex.quote(str(path))}")
        return path.read_text("utf-8")
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); make it, or name the right one") from None
    except UnicodeDecodeError:
        raise UserError(f"{path}: no text; name the right file") from None


def read_link_keys(path: Path) -> tuple[bytes, ...]:
    """The keys of one gateway and its centre, one a line in hexadecimal digits: the first seals, every one opens."""
    lines = [line.strip() for line in read_private(path).splitlines()]
    keys = [line for line in lines if line and not line.startswith("#")]
    for number, line in enumerate(lines, 1):
        if line in keys and not _LINK_KEY.fullmatch(line):
            raise UserError(f"{path}:{number}: a key is {2 * LINK_KEY_SIZE} hexadecimal digits on a line of its own")
    if not keys:
        raise UserError(f"{path}: holds no key; `strapline gateway keys new` makes one")
    return tuple(bytes.fromhex(key) for key in dict.fromkeys(keys))


def read_password(path: Path) -> str:
    """A password: the file's first line."""
    password = read_private(path).split("\n", 1)[0].rstrip("\r")
    if not password:
        raise UserError(f"{path}: its first line is empty; write the password there")
    return password
