"""What a board prints, out of the bytes of its line."""

from hypothesis import given
from hypothesis import strategies as st

from strapline_gateway.log_text import LONGEST, LogText
from strapline_wire import link

FRAME = link.encode(bytes(range(60)))


def test_lines_between_frames_are_given_and_frames_are_not():
    text = LogText()
    said = b"boot 3\r\n" + FRAME + b"strap ok\n" + FRAME + b"no end" + FRAME + b"last\n"
    assert text.feed(said, 0.0) == ["boot 3", "strap ok", "no end", "last"]


def test_a_short_frame_that_happens_to_be_readable_is_none():
    lines = (link.encode(f"{number:06}".encode()) for number in range(1000))
    readable = next(
        line for line in lines if line[1:-1].decode("latin").strip("\t").isprintable() and link._is_text(line[1:-1])
    )
    assert LogText().feed(readable, 0.0) == []


@given(st.lists(st.sampled_from([b"one line\n", FRAME, b"two\r\n", b"\0\0", FRAME[:20], b"\xff\xfe\n"])), st.data())
def test_the_portions_do_not_matter(pieces, data):
    whole = b"".join(pieces)
    cut = data.draw(st.integers(0, len(whole)))
    text = LogText()
    assert text.feed(whole[:cut], 0.0) + text.feed(whole[cut:], 0.0) == LogText().feed(whole, 0.0)


@given(st.binary(max_size=2000))
def test_whatever_comes_only_printable_lines_of_bounded_length_go_to_the_log(noise):
    for line in LogText().feed(noise + b"\n", 0.0):
        assert line.isprintable() or "\t" in line
        assert len(line) <= LONGEST


def test_an_endless_line_fills_no_memory():
    text = LogText()
    for _ in range(100):
        text.feed(b"x" * 1000, 0.0)
    assert len(text._run) <= link.CONTENT_LIMIT
    assert [len(line) for line in text.feed(b"\n", 0.0)] == [LONGEST]


def test_a_board_that_prints_without_end_is_cut_short_and_counted():
    text = LogText()
    assert len(text.feed(b"again\n" * 1000, 0.0)) == 100
    assert text.dropped == 900
    assert len(text.feed(b"again\n" * 1000, 1.0)) == 20
