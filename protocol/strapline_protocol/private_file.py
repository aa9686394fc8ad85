"""Files with secrets that a person names in a configuration: nobody else on the machine may reach them."""

import os
import shlex
import stat
from pathlib import Path

from strapline_protocol.errors import UserError

_LONGEST = 65536
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


def read_password(path: Path) -> str:
    """A password: the file's first line."""
    password = read_private(path).split("\n", 1)[0].rstrip("\r")
    if not password:
        raise UserError(f"{path}: its first line is empty; write the password there")
    return password
