# What a tag keeps over a reboot, in files: integers together in one, bytes each in its own. A file is written whole under another name
# and then takes its place, which LittleFS does in one step: a power cut leaves the old one or the new.
import json
import os

from strapline_tag import storage

_PREFIX = "strapline_"


def write(name: str, content: bytes) -> None:
    with open(".new", "wb") as file:
        file.write(content)
    os.rename(".new", name)


def read(name: str) -> bytes:
    # A file's bytes; nothing where there is none.
    try:
        with open(name, "rb") as file:
            return file.read()
    except OSError as error:
        if error.args[0] != 2:  # ENOENT
            raise
        return b""


class Memory:
    # Raises ValueError where the file of integers is there and cannot be read: counters must not begin anew under a key that used them.
    def __init__(self):
        content = read(storage.MEMORY)
        self._held = json.loads(content) if content else {}

    def get(self, name: str, default: int) -> int:
        return self._held.get(name, default)

    def put(self, name: str, value: int) -> None:
        held = dict(self._held)
        held[name] = value
        write(storage.MEMORY, json.dumps(held).encode())
        self._held = held  # only what is on flash counts

    def read(self, name: str) -> bytes:
        return read(_PREFIX + name)

    def write(self, name: str, value: bytes) -> None:
        write(_PREFIX + name, value)
