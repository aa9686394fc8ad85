"""Key files: what a gateway and the centre keep of their tags. JSON, for the owner's eyes only, replaced whole or not at all.

`{"format": 1, "tags": {"7a900001": {"broadcast": hex, "link": hex, "header": hex}}}` at a gateway,
`{"format": 1, "tags": {"7a900001": {"end_to_end": hex}}}` at the centre. No file holds a tag's secret.
"""

import json
import os
import re
import shlex
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

from strapline_protocol.durable import sync_folder, write_new
from strapline_protocol.errors import UserError
from strapline_protocol.keys import CentreKeys, GatewayKeys
from strapline_wire.keys import KEY_SIZE

FORMAT = 1

_TAG = re.compile(r"[0-9a-f]{8}")
_KEY = re.compile(rf"[0-9a-fA-F]{{{2 * KEY_SIZE}}}")
_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_LONGEST = 64 << 20  # a quarter of a million tags

Keys = TypeVar("Keys", GatewayKeys, CentreKeys)


def is_tag_id(text: str) -> bool:
    """Whether this is a tag's id: eight lower-case hexadecimal digits."""
    return _TAG.fullmatch(text) is not None


def read_gateway_keys(path: Path) -> list[GatewayKeys]:
    """The tags of a gateway's key file, by id; UserError, which names file and mend and no key, for anything else."""
    return _read(path, GatewayKeys)


def read_centre_keys(path: Path) -> list[CentreKeys]:
    """The tags of the centre's key file, by id; UserError, which names file and mend and no key, for anything else."""
    return _read(path, CentreKeys)


@contextmanager
def successor(path: Path, keys: Iterable[GatewayKeys] | Iterable[CentreKeys]) -> Iterator[Callable[[], None]]:
    """A key file with these tags, already on the disk beside `path`; the call puts it in place, at once and whole.

    Without the call `path` stays as it is. UserError where the folder or the disk refuses. Hold `locked` around it.
    """
    path = path.resolve()  # a link stays a link
    beside = path.with_name(path.name + ".new")
    try:
        _drop(beside)  # what a cut left there; a link somebody laid there is not followed
        write_new(beside, _encode(keys), 0o600)
    except OSError as error:
        with suppress(OSError):
            _drop(beside)
        raise _no_write(path, error) from None

    def put_in_place() -> None:
        try:
            beside.replace(path)
            sync_folder(path.parent)
        except OSError as error:
            raise _no_write(path, error) from None

    try:
        yield put_in_place
    finally:
        with suppress(OSError):
            _drop(beside)


@contextmanager
def locked(*paths: Path) -> Iterator[None]:
    """Nobody else who asks may write key files in these files' folders meanwhile; UserError where somebody is at it."""
    import fcntl  # Unix only, as are boards on a serial port under /dev; reading needs none

    with ExitStack() as held:
        for folder in sorted({path.resolve().parent for path in paths}):
            try:
                descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
                held.callback(os.close, descriptor)
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise UserError(f"{folder}: somebody else is writing keys there; wait until that is done") from None
            except OSError as error:
                raise UserError(
                    f"{folder}: no folder to keep keys in ({error.strerror}); make it or name another"
                ) from None
        yield


def _read(path: Path, kind: type[Keys]) -> list[Keys]:
    try:
        about = path.stat()
        if not stat.S_ISREG(about.st_mode) or about.st_size > _LONGEST:
            raise UserError(f"{path}: no key file; name one that `strapline provision` made")
        if os.name == "posix" and about.st_mode & _OTHERS:
            raise UserError(f"{path}: others on this machine can reach these keys; chmod 600 {shlex.quote(str(path))}")
        content = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); name a key file of your own") from None
    try:
        data = json.loads(content, object_pairs_hook=_unambiguous)
    except json.JSONDecodeError as error:
        raise UserError(
            f"{path}:{error.lineno}: no JSON; bring back the file that `strapline provision` made"
        ) from None
    except (ValueError, RecursionError):  # no text in UTF-8, a name that is there twice, nested without end
        raise UserError(
            f"{path}: no JSON that says one thing only; bring back the file that `strapline provision` made"
        ) from None
    return _decode(path, data, kind)


def _unambiguous(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) != len(pairs):
        raise ValueError
    return dict(pairs)


def _decode(path: Path, data: Any, kind: type[Keys]) -> list[Keys]:
    if not isinstance(data, dict) or set(data) != {"format", "tags"} or not isinstance(data["tags"], dict):
        raise UserError(f'{path}: no key file; it begins {{"format": {FORMAT}, "tags": {{…')
    if data["format"] != FORMAT or isinstance(data["format"], bool):
        raise UserError(f"{path}: not format {FORMAT}; this version of strapline reads no other")
    wanted, optional = kind._fields[1:], kind._field_defaults
    tags = []
    for tag, shares in sorted(data["tags"].items()):
        if not is_tag_id(tag):
            raise UserError(f"{path}: {tag[:40]!r} is no tag's id; write eight lower-case hexadecimal digits")
        if not isinstance(shares, dict) or not set(wanted) - set(optional) <= set(shares) <= set(wanted):
            raise UserError(f"{path}: tag {tag}: {_holds(kind)}")
        for name, key in shares.items():
            if not isinstance(key, str) or not _KEY.fullmatch(key):
                raise UserError(f"{path}: tag {tag}: {name}: a key is {2 * KEY_SIZE} hexadecimal digits")
        tags.append(kind(tag, **{name: bytes.fromhex(key) for name, key in shares.items()}))
    return tags


def _holds(kind: type[GatewayKeys] | type[CentreKeys]) -> str:
    whose = "a gateway's" if kind is GatewayKeys else "the centre's"
    needed = [name for name in kind._fields[1:] if name not in kind._field_defaults]
    return f"{whose} key file holds {', '.join(needed)} for each tag; name that file, or provision the tag again"


def _encode(keys: Iterable[GatewayKeys] | Iterable[CentreKeys]) -> bytes:
    tags = {one.tag: {name: key.hex() for name, key in one._asdict().items() if isinstance(key, bytes)} for one in keys}
    return (json.dumps({"format": FORMAT, "tags": dict(sorted(tags.items()))}, indent=1) + "\n").encode()


def _drop(path: Path) -> None:
    path.unlink(missing_ok=True)


def _no_write(path: Path, error: OSError) -> UserError:
    return UserError(f"{path}: cannot be written ({error.strerror}); make room or name another file")
