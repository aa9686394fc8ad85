# What the heap of the interpreter holds, for the bench program.
import gc


def measure() -> dict:
    gc.collect()
    used, free = gc.mem_alloc(), gc.mem_free()  # type: ignore[attr-defined]
    return {"heap_used": used, "heap_free": free, "heap_block": _largest_block(free)}


def _largest_block(free: int) -> int:
    # To the nearest 256 bytes: what can be had in one piece.
    low, high = 0, free
    while high - low > 256:
        size = (low + high) // 2
        try:
            bytearray(size)
            low = size
        except MemoryError:
            high = size
        gc.collect()
    return low
