"""Plain words."""

import pytest

from strapline_simulator.report.wording import body_words, code_words, count_words, duration_words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.0, "0.00 s"), (0.414, "0.41 s"), (12.34, "12.3 s"), (59.96, "1 min"), (190, "3 min 10 s"), (300, "5 min"),
        (3599.7, "1 h"), (26 * 3600, "26 h"), (3600 * 5 + 61, "5 h 1 min"), (86400 * 30, "30 d"), (-0.5, "−0.50 s"),
    ],
)  # fmt: skip
def test_durations(seconds: float, words: str) -> None:
    assert duration_words(seconds).replace("\N{NO-BREAK SPACE}", " ") == words


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("STRAP_OPEN", "Strap open"),
        ("removed", "Tag off the body"),
        ("LID_OFF", "Lid off"),
        ("gnss_jammed", "GNSS jammed"),
        ("77", "77"),
    ],
)
def test_codes(code: str, words: str) -> None:
    assert code_words(code) == words


@pytest.mark.parametrize(
    "body", ["model", "micropython", "serial:/dev/ttyACM0", "qemu:tag.elf", "virtual", "rig:a.toml", "novel"]
)
def test_every_body_says_what_is_simulated(body: str) -> None:
    assert "simulated" in body_words(body)


def test_the_interpreter_is_named() -> None:
    assert "CPython" in body_words("model")
    assert "MicroPython" in body_words("micropython")
    assert "real tag" in body_words("rig:a.toml")


def test_counts_are_grouped() -> None:
    assert count_words(93600) == "93\N{NARROW NO-BREAK SPACE}600"
