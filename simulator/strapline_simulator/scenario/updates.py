"""The images that a scenario can send."""

from typing import Literal

UpdateKind = Literal["good", "unsigned", "wrong_key", "older", "wrong_board", "expired", "truncated", "flipped"]
