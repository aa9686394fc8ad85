"""What a board prints between its frames, as lines for a log. Frames are not taken out of the stream here, only passed over."""

import re

from strapline_wire import link

LONGEST = 200
"""Characters of one line; what is longer is cut."""

_SHORTEST = 3  # what is shorter is more often part of a frame than text
_LINES_A_SECOND = 20
_BURST = 100
_RUN = re.compile(rb"([^\0\r\n]*)([\0\r\n]?)")
_TEXT = bytes((9, 13, *range(32, 127)))


class LogText:
    """Bytes in, lines out; at most 20 a second on average, so that a board that prints without end fills no disk."""

    def __init__(self) -> None:
        self._run = bytearray()
        self._is_text = True
        self._allowance = float(_BURST)
        self._at = 0.0
        self.dropped = 0
        """Lines beyond what is allowed."""

    def feed(self, data: bytes, now: float) -> list[str]:
        """The lines that are complete now; `now` is seconds on any clock that does not go back."""
        lines: list[str] = []
        for run, end in _RUN.findall(data):
            self._take(run)
            if end:
                self._finish(lines, is_frame=end == b"\0" and link.decode(bytes(self._run)) is not None)
        return self._allowed(lines, now)

    def _take(self, piece: bytes) -> None:
        if piece.translate(None, _TEXT):
            self._is_text = False
        self._run += piece[: link.CONTENT_LIMIT - len(self._run)]

    def _finish(self, lines: list[str], *, is_frame: bool) -> None:
        text = self._run.decode("ascii", "replace").strip() if self._is_text and not is_frame else ""
        if len(text) >= _SHORTEST:
            lines.append(text[:LONGEST])
        self._run.clear()
        self._is_text = True

    def _allowed(self, lines: list[str], now: float) -> list[str]:
        self._allowance = min(_BURST, self._allowance + (now - self._at) * _LINES_A_SECOND)
        self._at = now
        kept = lines[: int(self._allowance)]
        self._allowance -= len(kept)
        self.dropped += len(lines) - len(kept)
        return kept
