from functools import reduce
from operator import xor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strapline_simulator.gnss_log import GnssLogError, read_gnss_log


def line(content: str) -> bytes:
    return b"$%s*%02X\r\n" % (content.encode(), reduce(xor, content.encode(), 0))


def gga(time: str) -> bytes:
    return line(f"GPGGA,{time},4807.038,N,01131.000,E,1,08,0.9,,M,,M,,")


def rmc(time: str) -> bytes:
    return line(f"GPRMC,{time},A,4807.038,N,01131.000,E,0.0,,230394,,,A")


def epochs_of(folder, *parts: bytes):
    log = folder / "receiver.log"
    log.write_bytes(b"".join(parts))
    epochs = read_gnss_log(log)
    assert b"".join(epoch.data for epoch in epochs) == b"".join(parts)
    return epochs


def test_an_epoch_holds_all_sentences_of_one_time_and_the_head_belongs_to_the_first(tmp_path):
    head, binary = b"# Name: a receiver\r\n# $GPGGA,000000,\r\n", b"\xb5\x62\x01$\x00"
    gsv = line("GPGSV,1,1,00")
    first, second = epochs_of(
        tmp_path, head, gga("120000"), gsv, rmc("120000"), binary, rmc("120001"), gga("120001"), gsv
    )
    assert first == (0.0, head + gga("120000") + gsv + rmc("120000") + binary)
    assert second == (1.0, rmc("120001") + gga("120001") + gsv)


@pytest.mark.parametrize(
    ("times", "offsets"),
    [
        (["120000.0", "120000.2", "120000.4"], [0.0, 0.2, 0.4]),
        (["235959.50", "000000.25"], [0.0, 0.75]),
        (["120000", "130000", "130001"], [0.0, 3600.0, 3601.0]),
        (["120000", "130001", "130003"], [0.0, 1.0, 3.0]),
        (["120010", "120009", "120011"], [0.0, 1.0, 3.0]),
        (["", "", ""], [0.0, 1.0, 2.0]),
        (["120000", "", "", "120009"], [0.0, 1.0, 2.0, 9.0]),
        (["120000", "", "", "120001"], [0.0, 1.0, 2.0, 2.0]),
    ],
)
def test_offsets_follow_the_times_and_are_a_second_where_these_are_no_guide(tmp_path, times, offsets):
    epochs = epochs_of(tmp_path, *(gga(time) + rmc(time) for time in times))
    assert [epoch.offset_s for epoch in epochs] == offsets


def test_a_sentence_with_a_wrong_checksum_begins_no_epoch(tmp_path):
    broken = gga("150000").replace(b"8,0.9", b"8,0.8")
    assert [epoch.offset_s for epoch in epochs_of(tmp_path, gga("120000"), broken, gga("120001"))] == [0.0, 1.0]


@given(
    st.lists(st.sampled_from([gga("120000"), rmc("120001"), gga(""), b"$GPGGA,12", b"\r\n"]) | st.binary(max_size=40))
)
def test_no_byte_is_lost_or_moved_and_time_never_runs_backwards(tmp_path_factory, parts):
    epochs = epochs_of(tmp_path_factory.mktemp("log"), gga("115959"), *parts)
    offsets = [epoch.offset_s for epoch in epochs]
    assert offsets == sorted(offsets)
    assert offsets[0] == 0.0


@pytest.mark.parametrize(
    ("content", "word"), [(None, "no such file"), (b"", "empty"), (b"PNG\x00", "no NMEA sentence")]
)
def test_a_file_that_is_no_log_is_named_with_the_mend(tmp_path, content, word):
    log = tmp_path / "receiver.log"
    if content is not None:
        log.write_bytes(content)
    with pytest.raises(GnssLogError, match=rf"^{log}: .*{word}.*; give ") as caught:
        read_gnss_log(log)
    assert "\n" not in str(caught.value)


def test_a_folder_cannot_be_read(tmp_path):
    with pytest.raises(GnssLogError, match="cannot be read"):
        read_gnss_log(tmp_path)
