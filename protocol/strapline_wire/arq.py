# Acknowledgement and repetition on the byte link, the same at both ends: each frame arrives once and in order, or the link has failed.
# It proves nothing. Whoever can write on the line can forge an acknowledgement, or pass for a peer that has started again; that a record
# is at the centre is proved by the centre's receipt, end to end, and by nothing here.
#
# A line's content: the sender's generation (1 to 255, drawn for each link), the generation that it acknowledges (0: nothing has come
# yet), its sequence and the next one that it expects (4 bits each), then a frame. Without a frame it is a bare acknowledgement.
#
# Go-back-N: frames are taken in order only. Every bearer keeps the order, so something is missing only where a line was broken, and that is
# rare; a buffer for what comes behind the gap would cost the tag 8 frames of memory for ever.
from strapline_wire import link
from strapline_wire.compat import const
from strapline_wire.errors import LocalProtocolError

WINDOW = const(8)  # half of the 16 numbers: a line that fewer than 8 others overtake is never taken for a newer one
QUEUE_LIMIT = const(16)  # frames held: on their way, or waiting for a place in the window
_NUMBERS = const(15)
_LONGEST_WAIT = const(8)  # times retry_ms


def draw_generation(entropy) -> int:
    # entropy(n): n random bytes
    return 1 + entropy(1)[0] % 255


class ReliableLink:
    # `now` is in ms on any clock that does not go back. After every call that may have changed something the owner sends what
    # data_to_send gives, and calls handle_timer at next_deadline.
    def __init__(self, generation: int, retry_ms: int, retries: int = 5):
        if not 1 <= generation <= 255:
            raise LocalProtocolError("no generation", generation)
        self._deframer = link.Deframer()
        self._generation = generation
        self._retry_ms = retry_ms
        self._retries = retries  # so often in a row without progress, then it has failed
        self._peer = 0  # generation of the frames that have come
        self._expected = 0
        self._owes = False  # an acknowledgement
        self.failed = False
        self.retransmitted = 0  # lines sent again
        self.duplicates = 0  # lines that had come before
        self.out_of_order = 0  # lines behind a gap, or from the middle of a life unknown to us
        self._number_anew()

    def _number_anew(self) -> None:
        self._queue = []  # what is on its way, then what waits
        self._base = 0  # sequence of the first
        self._sent = 0  # so many of them have been on the line
        self._next = 0  # index of the next for the line; below _sent it goes again
        self._heeded = 0  # generation whose acknowledgements count; 0: none has come
        self._calm()

    def _calm(self) -> None:
        self._tries = 0
        self._wait_ms = self._retry_ms
        self._retry_at: int = None

    @property
    def text(self) -> bytes:
        return self._deframer.text

    @property
    def broken(self) -> int:
        return self._deframer.broken

    @property
    def idle(self) -> bool:
        # Everything that was sent is acknowledged.
        return not self._queue

    def room(self) -> int:
        # How many frames `send` takes now.
        return 0 if self.failed else QUEUE_LIMIT - len(self._queue)

    def send(self, frame: bytes) -> None:
        if not self.room():
            raise LocalProtocolError("no room on the link")
        if not 0 < len(frame) <= link.FRAME_LIMIT:
            raise LocalProtocolError("no frame for the link", len(frame))
        self._queue.append(frame)

    def data_to_send(self, now: int) -> "list[bytes]":
        lines = []
        end = min(len(self._queue), WINDOW)
        while self._next < end:
            if self._next < self._sent:
                self.retransmitted += 1
            else:
                self._sent += 1
            lines.append(self._line(self._next, self._queue[self._next]))
            self._next += 1
        if lines:
            if self._retry_at is None:
                self._retry_at = now + self._wait_ms
        elif self._owes:
            lines.append(self._line(0, b""))
        self._owes = False
        return lines

    def _line(self, index: int, frame: bytes) -> bytes:
        numbers = ((self._base + index) & _NUMBERS) << 4 | self._expected
        return link.encode(bytes((self._generation, self._peer, numbers)) + frame)

    def receive_data(self, data: bytes, now: int) -> "list[bytes]":
        frames = []
        for content in self._deframer.feed(data):
            if len(content) < link.HEADER_SIZE or not content[0]:
                self._deframer.broken += 1
                continue
            self._acknowledge(content, now)
            if len(content) > link.HEADER_SIZE and self._is_next(content):
                frames.append(content[link.HEADER_SIZE :])
        return frames

    def _acknowledge(self, content: bytes, now: int) -> None:
        # Counts only for this generation, for what is on its way, and from the peer that acknowledged before: one that has started
        # again never saw what came before it.
        if content[1] != self._generation or self._heeded not in (0, content[0]):
            return
        count = (content[2] - self._base) & _NUMBERS
        if not 0 < count <= self._sent:
            return
        self._heeded = content[0]
        self._queue = self._queue[count:]
        self._base = (self._base + count) & _NUMBERS
        self._sent -= count
        self._next = max(0, self._next - count)
        self._calm()
        if self._sent:
            self._retry_at = now + self._wait_ms

    def _is_next(self, content: bytes) -> bool:
        sequence = content[2] >> 4
        if content[0] != self._peer:
            if sequence or content[1] not in (0, self._generation):
                # From the middle of a conversation, or of one with a life before ours.
                self.out_of_order += 1
                return False
            self._meet(content)
        self._owes = True
        if sequence == self._expected:
            self._expected = (sequence + 1) & _NUMBERS
            return True
        if (self._expected - sequence) & _NUMBERS <= WINDOW:
            self.duplicates += 1
        else:
            self.out_of_order += 1
        return False

    def _meet(self, content: bytes) -> None:
        if content[1] != self._generation and (self._peer or self._heeded):
            # The peer has started again and knows nothing of us. What was for its former life is worth nothing to this one.
            self._generation = self._generation % 255 + 1
            self._number_anew()
        self._peer = content[0]
        self._expected = 0

    def next_deadline(self) -> "int | None":
        return self._retry_at

    def handle_timer(self, now: int) -> None:
        if self._retry_at is None or now < self._retry_at:
            return
        if self._tries == self._retries:
            self.failed = True
            self._number_anew()
            return
        self._tries += 1
        self._wait_ms = min(self._wait_ms * 2, self._retry_ms * _LONGEST_WAIT)
        self._retry_at = now + self._wait_ms
        self._next = 0
