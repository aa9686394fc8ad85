"""Sign in many folders, and be killed in each before another operation on files: prints how each child ended.

python signs_and_dies.py TEMPLATE FOLDER…: every FOLDER becomes a copy of TEMPLATE, which holds the key `release` and its ledger; a
signature that comes out is in `released`. With one FOLDER alone: signs there, and prints the operations before and after the signature.
"""

import os
import shutil
import signal
import sys
from pathlib import Path

from strapline_protocol.updates import Manifest
from strapline_simulator.firmware import signing

IMAGE = b"image"
CALLS = ("open", "fsync", "ftruncate", "pwrite", "pread", "fchmod", "close", "replace", "rename")


def main():
    template, *folders = map(Path, sys.argv[1:])
    signing._tree(*signing._read(template / "release")[:2])  # the children have it, too
    if len(folders) == 1:
        tell_the_order(template, folders[0])
    for step, folder in enumerate(folders, 1):
        shutil.copytree(template, folder)
        child = os.fork()
        if child == 0:
            die_before(step)
            release(folder)
            os._exit(0)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        print(folder.name, status)
        if status == 0:
            return


def release(folder):
    about = Manifest.of(IMAGE, "esp32-c3", 7)
    signed, _ = signing.sign(folder / "release", folder / "release.ledger", IMAGE, about)
    (folder / "released").write_bytes(signed.stream)


def watch(call):
    """Every operation on files that `signing` asks of the system goes through `call(name)` first."""
    for name in CALLS:
        plain = getattr(os, name)
        setattr(os, name, lambda *given, _plain=plain, _name=name, **named: (call(_name), _plain(*given, **named))[1])


def die_before(step):
    left = step

    def call(_name):
        nonlocal left
        left -= 1
        if not left:
            os.kill(os.getpid(), signal.SIGKILL)

    watch(call)


def tell_the_order(template, folder):
    shutil.copytree(template, folder)
    said = []
    watch(said.append)
    tree = signing._tree(*signing._read(folder / "release")[:2])
    plain = tree.sign
    tree.sign = lambda message: (said.append("SIGN"), plain(message))[1]
    release(folder)
    print(" ".join(name for name in said if name in ("fsync", "replace", "rename", "pwrite", "SIGN")))
    sys.exit()


if __name__ == "__main__":
    main()
