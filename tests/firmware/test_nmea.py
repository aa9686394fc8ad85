import calendar
from functools import reduce
from operator import xor

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from strapline_tag.nmea import UNKNOWN, UNKNOWN_COUNT, NmeaParser

# The two sentences that every manual prints, with the checksums that it prints.
GGA = b"$GPGGA,123519,4807.038,N,01131.000,E,1,08,0.9,545.4,M,46.9,M,,*47\r\n"
RMC = b"$GPRMC,123519,A,4807.038,N,01131.000,E,022.4,084.4,230394,003.1,W*6A\r\n"
PLACE = "4807.038,N,01131.000,E"


def line(content: str) -> bytes:
    return b"$%s*%02X\r\n" % (content.encode(), reduce(xor, content.encode(), 0))


def parse(*chunks: bytes):
    parser = NmeaParser()
    for chunk in chunks:
        parser.feed(chunk)
    parser.flush()
    return parser


def taken(parser: NmeaParser):
    positions = []
    while (position := parser.take()) is not None:
        positions.append(position)
    return positions


def positions_of(*contents: str):
    return taken(parse(*map(line, contents)))


def utc(*moment: int) -> int:
    return calendar.timegm(moment)


@pytest.mark.parametrize("sentences", [(GGA, RMC), (RMC, GGA)], ids=["GGA first", "RMC first"])
def test_an_epoch_is_what_its_sentences_say_together_in_any_order(sentences):
    parser = parse(*sentences)
    (position,) = taken(parser)
    assert position.utc_s == utc(1994, 3, 23, 12, 35, 19)
    assert position == (764426119, 0, True, 481173000, 115166667, 45, 1152, 8)
    assert (parser.sentences, parser.broken, parser.dropped) == (2, 0, 0)


def test_an_epoch_is_handed_over_when_the_next_one_begins():
    parser = NmeaParser()
    parser.feed(GGA + RMC)
    assert parser.take() is None
    parser.feed(line(f"GPGGA,123520,{PLACE},1,08,0.9,,M,,M,,"))
    assert parser.take().utc_s == 764426119
    assert parser.take() is None


@pytest.mark.parametrize(
    ("place", "lat_e7", "lon_e7"),
    [
        ("3403.5,S,05822.8,W", -340583333, -583800000),
        ("0000.0000,N,00000.0000,W", 0, 0),
        ("8959.99999999,N,17959.99999999,E", 900000000, 1800000000),
        ("4807,N,01131,E", 481166667, 115166667),
        ("4807.1,N,01131.01,E", 481183333, 115168333),
        ("4807.12345678,N,01131.87654321,E", 481187243, 115312757),
        ("807.5,N,131.5,E", 81250000, 15250000),
    ],
)
def test_degrees_and_minutes_of_any_precision_in_all_hemispheres(place, lat_e7, lon_e7):
    (position,) = positions_of(f"GPGGA,120000.00,{place},1,05,1.0,,M,,M,,")
    assert (position.lat_e7, position.lon_e7) == (lat_e7, lon_e7)


@pytest.mark.parametrize("talker", ["GP", "GN", "GL", "GA", "GB", "BD", "QZ", "GI", "IN"])
def test_every_talker_counts(talker):
    assert len(positions_of(f"{talker}RMC,120000,A,{PLACE},0.0,,010124,,,A")) == 1


def test_a_proprietary_sentence_is_never_taken_for_a_standard_one():
    parser = parse(line(f"PGRMC,120000,A,{PLACE},0.0,,010124,,,A"))
    assert (taken(parser), parser.sentences) == ([], 1)


@pytest.mark.parametrize(("quality", "fixes"), [*((q, 1) for q in "12345"), *((q, 0) for q in ("", *"06789"))])
def test_gga_gives_a_position_only_where_satellites_do(quality, fixes):
    assert len(positions_of(f"GPGGA,120000,{PLACE},{quality},05,1.0,,M,,M,,")) == fixes


@pytest.mark.parametrize(("status", "mode", "fixes"), [
    *(("A", mode, 1) for mode in ("", *"ADPRF")), *(("A", mode, 0) for mode in "NEMS"), ("V", "A", 0), ("", "A", 0), ("D", "D", 1),
])  # fmt: skip
def test_rmc_and_gll_give_a_position_only_where_satellites_do(status, mode, fixes):
    assert len(positions_of(f"GPRMC,120000,{status},{PLACE},0.0,,010124,,,{mode}")) == fixes
    if status != "D":
        assert len(positions_of(f"GPGLL,{PLACE},120000,{status},{mode}")) == fixes


@pytest.mark.parametrize(("modes", "fixes"), [("ANNA", 1), ("NA", 1), ("D", 1), ("NNNN", 0), ("EE", 0), ("", 0)])
def test_gns_gives_a_position_when_one_system_contributes(modes, fixes):
    assert len(positions_of(f"GNGNS,120000,{PLACE},{modes},14,0.8,,,,,V")) == fixes


@pytest.mark.parametrize("order", [1, -1])
def test_one_denial_in_an_epoch_outweighs_every_position_in_it(order):
    good = f"GPGGA,120000,{PLACE},1,05,1.0,,M,,M,,"
    bad = f"GPRMC,120000,V,{PLACE},0.0,,010124,,,N"
    assert positions_of(*[good, bad][::order]) == []


def test_a_valid_sentence_without_coordinates_gives_no_position():
    assert positions_of("GPRMC,120000,A,,,,,0.0,,010124,,,A") == []


def test_a_receiver_of_gga_alone_gives_seconds_of_the_day():
    (position,) = positions_of(f"GPGGA,010203.4,{PLACE},1,05,,,M,,M,,")
    assert (position.utc_s, position.utc_ms, position.dated) == (3723, 400, False)
    assert (position.accuracy_dm, position.speed_cm_s) == (UNKNOWN, UNKNOWN)


def test_a_receiver_of_rmc_alone_leaves_accuracy_and_satellites_unknown():
    (position,) = positions_of(f"GPRMC,120000,A,{PLACE},1.0,,010124,,,A")
    assert (position.accuracy_dm, position.speed_cm_s, position.satellites) == (UNKNOWN, 51, UNKNOWN_COUNT)


@pytest.mark.parametrize(("ddmmyy", "year"), [("290224", 2024), ("290280", 1980), ("290276", 2076), ("290296", 1996)])
def test_two_digit_years_run_from_1980_to_2079(ddmmyy, year):
    (position,) = positions_of(f"GPRMC,000000,A,{PLACE},0.0,,{ddmmyy},,,A")
    assert (position.utc_s, position.dated) == (utc(year, 2, 29, 0, 0, 0), True)


def test_zda_dates_an_epoch_and_outweighs_the_two_digit_year():
    gga, zda = f"GPGGA,120000,{PLACE},1,05,1.0,,M,,M,,", "GPZDA,120000,01,02,2085,00,00"
    assert positions_of(gga, zda)[0].utc_s == utc(2085, 2, 1, 12, 0, 0)
    assert positions_of(zda, f"GPRMC,120000,A,{PLACE},0.0,,010285,,,A")[0].utc_s == utc(2085, 2, 1, 12, 0, 0)


@pytest.mark.parametrize(
    ("later", "moment"),
    [
        ("235959.20", (2025, 12, 31, 23, 59, 59)),
        ("000000.00", (2026, 1, 1, 0, 0, 0)),
        ("005900.00", (2026, 1, 1, 0, 59, 0)),
        ("235958.90", (2025, 12, 31, 23, 59, 58)),
        ("010000.00", None),
        ("225900.00", None),
    ],
)
def test_the_date_is_carried_over_midnight_but_not_over_an_hour(later, moment):
    first = f"GPRMC,235959.10,A,{PLACE},0.0,,311225,,,A"
    _, position = positions_of(first, f"GPGGA,{later},{PLACE},1,05,1.0,,M,,M,,")
    assert position.dated == (moment is not None)
    if moment is not None:
        assert position.utc_s == utc(*moment)


def test_accuracy_is_the_deviation_that_gst_states_else_hdop_times_five_metres():
    gga = f"GPGGA,120000,{PLACE},1,05,1.31,,M,,M,,"
    assert positions_of(gga)[0].accuracy_dm == 66
    assert positions_of(gga, "GPGST,120000,16.1,,,,3.0,4.0,1.4")[0].accuracy_dm == 50
    assert positions_of(gga, "GPGST,120000,16.1,,,,0.01,0.01,1.4")[0].accuracy_dm == 1
    assert positions_of(f"GPGGA,120000,{PLACE},1,05,99.99,,M,,M,,")[0].accuracy_dm == UNKNOWN


def test_speed_is_rmcs_else_vtgs():
    gga, vtg = f"GPGGA,120000,{PLACE},1,05,1.0,,M,,M,,", "GPVTG,54.7,T,34.4,M,005.5,N,010.2,K,A"
    assert positions_of(gga, vtg)[0].speed_cm_s == 283
    assert positions_of(gga, f"GPRMC,120000,A,{PLACE},1.0,,010124,,,A", vtg)[0].speed_cm_s == 51
    assert positions_of(gga, vtg, f"GPRMC,120000,A,{PLACE},,,010124,,,A")[0].speed_cm_s == 283
    assert positions_of(gga, vtg.replace(",A", ",N"))[0].speed_cm_s == UNKNOWN


def test_ten_epochs_a_second_stay_apart_and_a_rounded_time_does_not():
    times = [f"1200{second:02}.{tenth}0" for second in (1, 2) for tenth in range(10)]
    parser = NmeaParser()
    found = []
    for time in [*times, "120003.295", "120003.30"]:
        parser.feed(line(f"GPGGA,{time},{PLACE},1,05,1.0,,M,,M,,"))
        found += taken(parser)
    parser.flush()
    found += taken(parser)
    assert [(p.utc_s - 43200, p.utc_ms) for p in found] == [(n // 10, n % 10 * 100) for n in range(10, 30)] + [(3, 295)]


@pytest.mark.parametrize("time", ["000000", "123519"])
def test_a_sentence_that_lost_its_time_ends_the_epoch_and_denies_nothing_in_it(time):
    parser = NmeaParser()
    parser.feed(line(f"GPRMC,{time},A,{PLACE},0.0,,230394,,,A") + line("GPGGA,,,,,,0,,,,,,,,"))
    assert parser.take() is not None


def test_a_stuck_receiver_gives_no_new_positions():
    parser = NmeaParser()
    for _ in range(3):
        parser.feed(RMC)
        parser.flush()
    assert len(taken(parser)) == 1


def test_positions_that_nobody_takes_are_bounded_dropped_oldest_first_and_counted():
    parser = parse(*(line(f"GPGGA,1200{n:02},{PLACE},1,05,1.0,,M,,M,,") for n in range(20)))
    assert [p.utc_s - 43200 for p in taken(parser)] == list(range(12, 20))
    assert parser.dropped == 12


def test_reset_forgets_the_half_line_the_epoch_and_the_date():
    parser = NmeaParser()
    parser.feed(RMC + GGA[:20])
    parser.reset()
    parser.feed(GGA[20:] + line(f"GPGGA,123600,{PLACE},1,05,1.0,,M,,M,,"))
    parser.flush()
    assert [p.dated for p in taken(parser)] == [False]


@pytest.mark.parametrize(
    "damaged",
    [
        GGA.replace(b"*47", b"*46"),
        GGA.replace(b"*47", b""),
        GGA.replace(b"*47", b"*4"),
        GGA.replace(b"*47", b"*4G"),
        GGA[:30] + b"\r\n",
        GGA[:30] + b"\xb5\x62\x01",
        line("GPGGA," + "1" * 130),
        line(f"GPGGA,240000,{PLACE},1,08,0.9,,M,,M,,"),
        line(f"GPGGA,126000,{PLACE},1,08,0.9,,M,,M,,"),
        line(f"GPGGA,12351,{PLACE},1,08,0.9,,M,,M,,"),
        line("GPGGA,123519,4860.000,N,01131.000,E,1,08,0.9,,M,,M,,"),
        line("GPGGA,123519,9000.001,N,01131.000,E,1,08,0.9,,M,,M,,"),
        line("GPGGA,123519,4807.0-8,N,01131.000,E,1,08,0.9,,M,,M,,"),
        line("GPGGA,123519,4807.038,E,01131.000,N,1,08,0.9,,M,,M,,"),
        line(f"GPGGA,123519,{PLACE},1,08,0.9.1,,M,,M,,"),
        line(f"GPRMC,123519,A,{PLACE},x,,230394,,,A"),
        line(f"GPRMC,123519,A,{PLACE},0.0,,290294,,,A"),
        line(f"GPRMC,123519,A,{PLACE},0.0,,0103-1,,,A"),
    ],
)
def test_a_damaged_sentence_is_counted_and_changes_nothing(damaged):
    parser = parse(damaged, line("GPZDA,123519,23,03,1994,00,00"))
    assert (taken(parser), parser.sentences, parser.broken) == ([], 1, 1)
    assert len(taken(parse(damaged, GGA))) == 1


def test_a_sentence_of_up_to_120_characters_is_read():
    parser = parse(line("GPTXT," + "1" * 111), line("GPTXT," + "1" * 112))
    assert (parser.sentences, parser.broken) == (1, 1)


def test_a_sentence_cut_by_the_next_one_is_broken_and_the_next_one_is_whole():
    parser = parse(b"$GPGGA,030130", RMC)
    assert (len(taken(parser)), parser.sentences, parser.broken) == (1, 1, 1)


def test_binary_data_between_sentences_is_neither_read_nor_counted():
    noise = b"\xb5\x62\x01\x07$\x5c\x00$$*00$1$GP\xff$$*00\r\n"
    parser = parse(noise, GGA[:-2], noise, RMC[:-2], noise)
    assert (len(taken(parser)), parser.sentences, parser.broken) == (1, 2, 0)


SAMPLES = [
    GGA, RMC, b"\r\n", b"\xb5\x62\x01\x07\x5c\x00$", line("GPZDA,123519,23,03,1994,00,00"), line("GPVTG,1,T,,M,5.5,N,,K,A"),
    line(f"GNGNS,123520.10,{PLACE},ANNA,14,0.8,,,,,V"), line("GNGST,123520.10,1,,,,3.0,4.0,1.4"), line(f"GPGLL,{PLACE},123521,A,A"),
    line("GPGGA,,,,,,0,,,,,,,,"), line("GPRMC,123519,A"), line("GPGSV,3,1,11,03,03,111,00*"), line("GPRMC" + "," * 60),
]  # fmt: skip


@st.composite
def serial_lines(draw):
    data = bytearray(b"".join(draw(st.lists(st.sampled_from(SAMPLES) | st.binary(max_size=200), max_size=12))))
    for _ in range(draw(st.integers(0, 6)) if data else 0):
        data[draw(st.integers(0, len(data) - 1))] = draw(st.integers(0, 255) | st.sampled_from(b"$*,.\n0A"))
    return bytes(data)


def outcome(parser):
    parser.flush()
    return taken(parser), parser.sentences, parser.broken, parser.dropped


@given(serial_lines(), st.integers(1, 97))
@example(line("GPGGA,1"), 3)
@example(b"$" + b"A" * 400 + GGA, 7)
def test_any_bytes_in_any_chunks_give_the_same_and_never_raise(data, size):
    whole, chunked, bytewise = NmeaParser(), NmeaParser(), NmeaParser()
    whole.feed(data)
    for start in range(0, len(data), size):
        chunked.feed(data[start : start + size])
    for byte in data:
        bytewise.feed(bytes((byte,)))
        assert len(bytewise._line) == 120
        assert len(bytewise._positions) <= 8
    expected = outcome(whole)
    assert outcome(chunked) == outcome(bytewise) == expected
    assert all(type(value) in (int, bool) for position in expected[0] for value in position)


@given(
    st.text(alphabet="0123456789.,-AVNSEW*", max_size=70),
    st.sampled_from(["RMC", "GGA", "GNS", "GLL", "ZDA", "GST", "VTG"]),
)
def test_fields_of_any_content_under_a_right_checksum_never_raise(fields, kind):
    parser = parse(line(f"GP{kind},{fields}".replace("*", "")))
    assert parser.sentences + parser.broken == 1
