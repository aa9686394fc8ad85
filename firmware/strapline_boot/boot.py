# What a board's boot.py calls before anything else. The public keys lie beside it, outside both slots.
import sys

from strapline_boot.files import Files
from strapline_boot.slots import Slots
from strapline_wire import manifest

__all__ = ["boot"]

KEYS = "strapline_update_keys"  # one public key, or two while one follows the other; 56 bytes each


def boot(board: bytes, capacity: int, root: str = "/") -> "Slots | None":
    # Chooses the slot and puts it first on the path; None where no slot holds a genuine image: then nothing may be imported.
    with open(root + KEYS, "rb") as file:
        data = file.read(2 * manifest.KEY)
    store = Files(root, capacity)
    slots = Slots(store, [data[at : at + manifest.KEY] for at in range(0, len(data), manifest.KEY)], board)
    if slots.start() is None:
        return None
    sys.path.insert(0, store.folder(slots.running))
    return slots
