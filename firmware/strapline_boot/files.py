# mypy: disable-error-code="assignment, attr-defined"
# A board's file system as the store of the slots. Each slot is a folder: `head`, and the image under a name that can be imported.
# LittleFS replaces what a file holds when it is closed, at once or not at all.
import os

from strapline_wire import manifest

IMAGE = "strapline_app.mpy"


class Files:
    # root: "" or a folder with a slash behind it.
    def __init__(self, root: str, capacity: int):
        self._root = root
        self.capacity = capacity
        self._name = ""
        self._file = None  # the one that was read last

    def folder(self, slot: int) -> str:
        return self._root + "slot" + str(slot)

    def read(self, area: int, at: int, size: int) -> bytes:
        name, at = self._place(area, at)
        if name != self._name:
            self._close()
            try:
                self._file = open(name, "rb")
            except OSError:
                return b""
            self._name = name
        self._file.seek(at)
        return self._file.read(size)

    def write(self, area: int, at: int, data: bytes) -> None:
        self._close()
        name, at = self._place(area, at)
        if area < 2:
            try:
                os.mkdir(self.folder(area))
            except OSError:
                pass  # it is there
        try:
            file = open(name, "r+b")
        except OSError:
            file = open(name, "wb")
        file.seek(at)
        file.write(data)
        file.close()

    def erase(self, area: int, at: int) -> None:
        # Only a slot's beginning empties it: what lies behind any other place is written again there, and a record is replaced as it is.
        self._close()
        if not at and area < 2:
            for part in (0, manifest.HEAD):
                try:
                    os.remove(self._place(area, part)[0])
                except OSError:
                    pass  # it is not there

    def _place(self, area: int, at: int) -> tuple:
        if area > 1:
            return self._root + "slots." + str(area), at
        if at < manifest.HEAD:
            return self.folder(area) + "/head", at
        return self.folder(area) + "/" + IMAGE, at - manifest.HEAD

    def _close(self) -> None:
        if self._file:
            self._file.close()
        self._file = None
        self._name = ""
