"""Signing firmware: LMS keys (RFC 8554) on this machine's disk. A leaf of such a key signs once; a second time would give the key away.

Two files remember which leaves are used. The key file holds the next one; the ledger, best kept on another disk, has a line for each used
one. A leaf is noted in both, durably and under a lock, before its signature is made. What a restored backup leaves is told by their
disagreement; where both come from the same backup nothing here can know: docs/update.md.
"""

import json
import os
import shlex
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import pyhsslms

from strapline_boot import lms
from strapline_protocol.durable import replace_private, sync_folder, write_new
from strapline_protocol.errors import UserError
from strapline_protocol.keyring import locked
from strapline_protocol.updates import Manifest, SignedImage
from strapline_wire import manifest

FORMAT = 1

LEAVES = 1024
"""Signatures that a key has in it."""

_TYPES = (pyhsslms.lms_sha256_m32_h10, pyhsslms.lmots_sha256_n32_w4)
_SIZES = {"seed": 32, "identifier": 16, "public": manifest.KEY}
_LONGEST = 1 << 20
_HEADING = "strapline ledger of signatures by"


class _Key(NamedTuple):
    seed: bytes
    identifier: bytes
    public: bytes
    next: int


def default_ledger(key: Path) -> Path:
    """Where the ledger of a key is unless it is said otherwise."""
    return key.with_name(key.name + ".ledger")


def public_file(key: Path) -> Path:
    """Where `make_key` writes the public key."""
    return key.with_name(key.name + ".pub")


def make_key(path: Path, ledger: Path) -> bytes:
    """A new key: its file (for its owner alone), its ledger and its public file; gives the public key."""
    with locked(path, ledger):
        for there in (path, ledger, public_file(path)):
            if there.exists():
                raise UserError(f"{there}: there is a file already; a key is never replaced, name another")
        seed, identifier = os.urandom(_SIZES["seed"]), os.urandom(_SIZES["identifier"])
        key = _Key(seed, identifier, _tree(seed, identifier).publicKey().serialize(), 0)
        with _telling(ledger):
            _begin_ledger(ledger, key.public)
        with _telling(public_file(path)):
            write_new(public_file(path), key.public, 0o644)
        with _telling(path):
            _store(path, key)
    return key.public


def sign(
    path: Path, ledger: Path, image: bytes, about: Manifest, *, from_leaf: int | None = None
) -> tuple[SignedImage, int]:
    """The signed image, and how many signatures the key has left. `from_leaf` goes on at a later leaf, whatever the files say."""
    packed = about.pack()
    with locked(path, ledger):
        key = _read(path)
        used = _read_ledger(ledger, key.public)
        leaf = _next_leaf(path, ledger, key.next, used, from_leaf)
        tree = _tree(key.seed, key.identifier)
        if tree.publicKey().serialize() != key.public:
            raise UserError(f"{path}: seed and public key do not belong together; bring back the file that keygen made")
        with _telling(path):
            _store(path, key._replace(next=leaf + 1))
        with _telling(ledger):
            if used is None:
                _begin_ledger(ledger, key.public)
            _append(ledger, f"{leaf} {sha256(packed).hexdigest()} {about.board} {about.sequence}\n")
        tree.q = leaf
        signature = bytes(tree.sign(packed))
    signed = SignedImage(about, signature, image)
    if not verify(signed, [key.public]):
        raise AssertionError("what was signed does not verify")
    return signed, LEAVES - leaf - 1


def verify(signed: SignedImage, keys: list[bytes]) -> bool:
    """Whether one of these public keys signed it; judged by the boot program's own verifier."""

    def read(at: int, size: int) -> bytes:
        return signed.signature[at : at + size]

    return any(lms.verify(key, signed.manifest.pack(), read) for key in keys)


def read_public(path: Path) -> list[bytes]:
    """The public keys of a file: one, or two as a board has them."""
    with _telling(path, "read"):
        data = path.read_bytes()[:_LONGEST]
    keys = [data[at : at + manifest.KEY] for at in range(0, len(data), manifest.KEY)]
    if not 1 <= len(keys) <= 2 or any(len(key) != manifest.KEY or key[:8] != b"".join(_TYPES) for key in keys):
        raise UserError(f"{path}: no public key; name the .pub that `strapline firmware keygen` made")
    return keys


def _next_leaf(path: Path, ledger: Path, following: int, used: int | None, from_leaf: int | None) -> int:
    lowest = max(following, 0 if used is None else used)
    if from_leaf is not None:
        if from_leaf < lowest:
            raise UserError(f"--from-leaf {from_leaf}: leaf {lowest} is the first that is not known to be used")
        lowest = from_leaf
    elif used is None and following:
        raise UserError(
            f"{ledger}: no ledger, and {path} has signed before; bring it back,"
            " or if you know that no leaf from N on is used: --from-leaf N"
        )
    elif used is not None and following < used:
        raise UserError(
            f"{path}: older than {ledger}, as from a backup: leaf {following} is used, and so may be later ones;"
            " bring back the newest, or if you know that no leaf from N on is used: --from-leaf N"
        )
    if lowest >= LEAVES:
        raise UserError(f"{path}: all {LEAVES:,} signatures of this key are used; sign with the boards' second key")
    return lowest


@lru_cache(maxsize=2)
def _tree(seed: bytes, identifier: bytes) -> Any:
    # A second or two: all leaves are worked out.
    return pyhsslms.LmsPrivateKey(*_TYPES, SEED=seed, I=identifier)


# The key file.


def _read(path: Path) -> _Key:
    with _telling(path, "read"):
        about = path.stat()
        if not stat.S_ISREG(about.st_mode) or about.st_size > _LONGEST:
            raise UserError(f"{path}: no signing key; make one with `strapline firmware keygen`")
        if os.name == "posix" and about.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise UserError(f"{path}: others on this machine can reach this key; chmod 600 {shlex.quote(str(path))}")
        content = path.read_bytes()
    try:
        data = json.loads(content)
        if set(data) != {"format", *_Key._fields} or data["format"] != FORMAT:
            raise ValueError
        parts = {name: bytes.fromhex(data[name]) for name in _SIZES}
        following = data["next"]
        if any(len(parts[name]) != size for name, size in _SIZES.items()) or type(following) is not int:
            raise ValueError
        if not 0 <= following <= LEAVES:
            raise ValueError
    except (ValueError, TypeError, KeyError, RecursionError):
        raise UserError(f"{path}: no signing key of format {FORMAT}; bring back the file that keygen made") from None
    return _Key(**parts, next=following)


def _store(path: Path, key: _Key) -> None:
    data = {"format": FORMAT, **{name: getattr(key, name).hex() for name in _SIZES}, "next": key.next}
    replace_private(path.resolve(), json.dumps(data, indent=1) + "\n")  # a link stays a link


# The ledger.


def _begin_ledger(path: Path, public: bytes) -> None:
    write_new(path, f"{_HEADING} {public.hex()}\n".encode(), 0o644)
    sync_folder(path.resolve().parent)


def _read_ledger(path: Path, public: bytes) -> int | None:
    """The first leaf behind all that were used; None where there is no ledger."""
    if not path.exists():
        return None
    with _telling(path, "read"):
        text = path.read_bytes().decode("ascii", "replace")
    heading, *lines = text.splitlines(keepends=True) or [""]
    if heading != f"{_HEADING} {public.hex()}\n":
        raise UserError(f"{path}: not the ledger of this key; name the one that keygen made with it")
    if lines and not lines[-1].endswith("\n"):
        lines.pop()  # a cut in the middle of it: the key file has gone past that leaf already
    try:
        return max((int(line.split()[0]) + 1 for line in lines), default=0)
    except (ValueError, IndexError):
        raise UserError(f"{path}: a line begins with no leaf's number; bring back the newest good one") from None


def _append(path: Path, line: str) -> None:
    descriptor = os.open(path, os.O_RDWR)
    try:
        content = os.pread(descriptor, _LONGEST, 0)
        at = content.rfind(b"\n") + 1
        os.ftruncate(descriptor, at)
        os.pwrite(descriptor, line.encode(), at)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _telling(path: Path, what: str = "written") -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise UserError(f"{path}: cannot be {what} ({error.strerror}); name a file of your own, or make room") from None
