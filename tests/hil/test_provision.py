"""`strapline provision` on real MicroPython behind a pty: what it does, the whole chain with its keys, and what it refuses."""

import base64
import errno
import os
import pty
import stat
import threading
import tty
from contextlib import suppress
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from mpremote.transport import TransportError
from serial import Serial

from flash import Flash
from provision_bench import MEMORY, OTHER_TAG, REQUESTS, SECRET, TAG, in_service
from pty_board import FaultyBoard
from station_home import Home, connects
from strapline_centre.centre import Centre, Person
from strapline_centre.ledger import Ledger
from strapline_gateway.station import Record, Transmit
from strapline_hil import repl_board
from strapline_hil.board_files import Folder
from strapline_hil.boards import Board
from strapline_protocol import contract, keyring
from strapline_protocol.cipher import HostCipher
from strapline_protocol.contract import Message, Topic
from strapline_protocol.keyring import locked
from strapline_tag import outputs, storage
from strapline_tag.tag import Tag
from strapline_wire import frames


@pytest.fixture
def impatient(monkeypatch):
    monkeypatch.setattr(repl_board, "PATIENCE_S", 1.0)


# What it does.


@pytest.mark.parametrize("link", [False, True])
@pytest.mark.parametrize("polled", [False, True])  # as mpremote does with USB and not with a pty
def test_a_real_micropython_gets_a_secret_and_each_holder_its_keys(bench, tmp_path_factory, monkeypatch, polled, link):
    (bench.flash / MEMORY).write_bytes(b"an earlier life")
    if polled:
        monkeypatch.setattr(repl_board.SerialTransport, "_is_pty_device", staticmethod(lambda port: False))
    by_id = tmp_path_factory.mktemp("dev") / "usb-board"
    with FaultyBoard(bench.flash) as board:
        by_id.symlink_to(board.port)
        status, out, err = bench.strapline(TAG, "--board", str(by_id) if link else board.port)
        assert board.requests == REQUESTS + 2  # it looks first
    assert (status, err) == (0, "")
    assert len(bench.secret) == 16
    bench.agrees()
    for file in (bench.gateway_file, bench.centre_file):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert file.name in out
    assert TAG in out


def test_a_folder_stands_in_for_a_board(bench):
    assert bench.strapline(TAG, "--board", "file:board")[0] == 0
    bench.agrees()
    assert stat.S_IMODE((bench.flash / SECRET).stat().st_mode) == 0o600


def on_usb(monkeypatch, *ports):
    boards = [Board("e6614103e7452d2f", "2E8A:0005", port, "Pico", True) for port in ports]
    nameless = Board("", "10C4:EA60", "/dev/no-such-port", "bridge", True)
    monkeypatch.setattr("strapline_hil.boards.find_boards", lambda: [*boards, nameless])


def test_a_board_is_named_by_its_usb_serial_number(bench, monkeypatch):
    with FaultyBoard(bench.flash) as board:
        on_usb(monkeypatch, board.port)
        assert bench.strapline(TAG, "--board", "e6614103e7452d2f")[0] == 0
    bench.agrees()


def test_a_board_with_several_ports_is_asked_back(bench, monkeypatch):
    on_usb(monkeypatch, "/dev/ttyACM0", "/dev/ttyACM1")
    assert "/dev/ttyACM0, /dev/ttyACM1" in bench.refusal(TAG, "--board", "e6614103e7452d2f")
    assert bench.state == {}


def test_the_files_may_be_elsewhere(bench):
    (bench.folder / "keys").mkdir()
    options = ("--gateway-keys", "keys/g.json", "--centre-keys", "keys/c.json")
    assert bench.strapline(TAG, "--board", "file:board", *options)[0] == 0
    assert bench.names == ["c.json", "g.json", SECRET]


def test_new_draws_an_id_and_says_it(bench):
    status, out, _ = bench.strapline("new", "--board", "file:board")
    (tag,) = bench.gateway
    assert status == 0
    assert out.startswith(f"tag {tag}: ")
    assert set(bench.centre) == {tag}


def test_a_drawn_id_is_nobodys_yet(bench, monkeypatch):
    bench.provision(TAG)
    drawn = iter([TAG, TAG, OTHER_TAG])
    monkeypatch.setattr("strapline_hil.provisioning.secrets.token_hex", lambda size: next(drawn))
    assert bench.provision("new", replace=True) == OTHER_TAG
    assert set(bench.gateway) == {TAG, OTHER_TAG}


def test_two_tags_share_no_key_and_the_first_keeps_its_own(bench):
    bench.provision(TAG)
    first = (bench.secret, bench.gateway[TAG], bench.centre[TAG])
    bench.provision(OTHER_TAG, replace=True)
    assert (bench.gateway[TAG], bench.centre[TAG]) == first[1:]
    everything = [first[0], bench.secret]
    for tag in (TAG, OTHER_TAG):
        everything += [*bench.gateway[tag][1:4], bench.centre[tag].end_to_end]
    assert len(set(everything)) == 10


def test_a_gateway_gets_the_end_to_end_key_only_when_told_and_it_is_said(bench):
    bench.provision(TAG)
    assert bench.gateway[TAG].end_to_end is None
    status, _, err = bench.strapline(TAG, "--board", "file:board", "--replace", "--share-end-to-end")
    assert (status, err.count("\n")) == (0, 1)
    assert err.startswith("warning: ")
    assert bench.gateway[TAG].end_to_end == bench.centre[TAG].end_to_end
    bench.provision(TAG, replace=True)
    assert bench.gateway[TAG].end_to_end is None


def forms(secret):
    return [secret, secret.hex().encode(), repr(secret)[2:-1].encode(), base64.b64encode(secret)]


def test_the_secret_is_on_the_board_and_nowhere_else(bench):
    with FaultyBoard(bench.flash) as board:
        seen = [bench.strapline(TAG, "--board", board.port)]
        seen += [bench.strapline(TAG, "--board", board.port), bench.strapline("new", "--board", board.port)]
        assert repr(bench.secret).encode() in board.said  # so the forms are those to look for
    assert [status for status, _, _ in seen] == [0, 2, 2]
    told = "".join(out + err for _, out, err in seen).encode()
    files = [content for path, content in bench.state.items() if path != bench.flash / SECRET]
    keys = [key.hex().encode() for key in (*bench.gateway[TAG][1:4], bench.centre[TAG].end_to_end)]
    assert len(files) == 2
    assert not any(form in content for form in forms(bench.secret) for content in [told, *files])
    assert not any(key in told for key in keys)


# The whole chain: what the files hold is what the tag's board uses.


def test_a_heartbeat_a_record_and_a_receipt_pass_between_board_gateway_and_centre(bench):
    with FaultyBoard(bench.flash) as board:
        bench.provision(board=board.port)
    held = {}
    memory = SimpleNamespace(
        get=held.get, put=held.__setitem__, read=lambda name: held.get(name, b""), write=held.__setitem__
    )
    tag = Tag(bench.secret, memory, lambda size: bytes(range(size)), HostCipher, Flash())
    home = Home(SimpleNamespace(gateway_keys=bench.gateway[TAG], link=None))
    ledger, key = Ledger(), bytes(range(32))
    now = datetime(2026, 3, 2, tzinfo=UTC)
    centre = Centre([Person(bench.centre[TAG])], {"6a7e0001": key}, ledger, utc=lambda: now, epoch=1)

    tag.handle_timer(tag.next_deadline())
    (heartbeat,) = [output[2] for output in tag.take_outputs() if output[0] == outputs.ADVERTISE]
    (call,) = connects(home.hear(heartbeat))
    assert call.tag == TAG

    link = home.station.open_link(home.now, TAG)
    tag.feed_link_up(1_000, outputs.BLE)
    sealed = converse(tag, home, link)
    topic = Topic("6a7e0001", "event", TAG)
    data = {"record": contract.text_of(sealed), "heard": contract.utc_text(now)}
    entry = centre.receive(str(topic), contract.encode(Message(topic, "1", now, data), key))
    assert entry.fields["code"] == frames.EVENT_STARTED

    assert len(tag.journal) == 1
    receipt = centre.next_message()
    command = contract.octets(contract.decode(receipt.topic, receipt.payload, key).data, "command")
    home.station.send_command(TAG, command, home.now)
    converse(tag, home, link)
    assert len(tag.journal) == 0
    assert (tag.rejected, home.rejected, dict(centre.rejected)) == (0, {}, {})
    ledger.close()


def converse(tag, home, link):
    """Bytes across until nobody has anything to say; gives the record that came, where one came."""
    sealed, events = None, home.take()
    while True:
        for event in events:
            if isinstance(event, Transmit):
                tag.feed_link(1_000, outputs.BLE, event.data)
            elif isinstance(event, Record):
                sealed = event.sealed
        said = [output[2] for output in tag.take_outputs() if output[0] == outputs.LINK_SEND]
        if not said:
            return sealed
        events = home.say(link, b"".join(said))


# What it refuses; nothing is changed.


@pytest.mark.parametrize("tag", ["", "7A900001", "7a90000", "7a9000011", "7a90000g", "newer", "../../etc"])
def test_what_is_no_tags_id_is_refused(bench, tag):
    assert "no tag's id" in bench.refusal(tag, "--board", "file:board")
    assert bench.state == {}


def test_a_board_that_is_a_tag_is_refused(bench):
    with FaultyBoard(bench.flash) as board:
        bench.provision(board=board.port)
        before = bench.state
        assert "--replace" in bench.refusal(OTHER_TAG, "--board", board.port)
    assert "--replace" in bench.refusal(OTHER_TAG, "--board", "file:board")
    assert bench.state == before


@pytest.mark.parametrize("holder", ["gateway", "centre"])
def test_a_tag_that_has_keys_is_refused(bench, holder):
    bench.provision()
    (bench.flash / SECRET).unlink()
    getattr(bench, "centre_file" if holder == "gateway" else "gateway_file").unlink()
    before = bench.state
    line = bench.refusal(TAG, "--board", "file:board")
    assert f"{holder}-keys.json" in line
    assert "--replace" in line
    assert bench.state == before


@pytest.mark.parametrize("name", ["gateway-keys.json", "centre-keys.json"])
@pytest.mark.parametrize(("content", "mode", "mend"), [("{}", 0o600, "no key file"), ("{}", 0o644, "chmod 600")])
def test_a_key_file_that_cannot_be_trusted_is_refused(bench, name, content, mode, mend):
    (bench.folder / name).write_text(content)
    (bench.folder / name).chmod(mode)
    before = bench.state
    line = bench.refusal(TAG, "--board", "file:board", "--replace")
    assert name in line
    assert mend in line
    assert bench.state == before


def test_one_file_for_both_is_refused(bench):
    (bench.folder / "link.json").symlink_to("gateway-keys.json")
    assert "two files" in bench.refusal(TAG, "--board", "file:board", "--centre-keys", "link.json")
    assert bench.state == {}


def test_no_folder_for_the_keys_is_refused(bench):
    assert "none" in bench.refusal(TAG, "--board", "file:board", "--centre-keys", "none/c.json")
    assert bench.state == {}


@pytest.mark.parametrize("name", ["gateway-keys.json", "centre-keys.json"])
def test_two_do_not_provision_into_one_file_at_a_time(bench, name):
    elsewhere = bench.folder / "elsewhere"
    elsewhere.mkdir()
    options = {"gateway-keys.json": "--centre-keys", "centre-keys.json": "--gateway-keys"}
    with locked(bench.folder / name):
        line = bench.refusal(TAG, "--board", "file:board", options[name], "elsewhere/keys.json")
    assert "somebody else is writing" in line
    assert bench.state == {}


def test_a_full_disk_shows_before_the_board_is_touched(bench, monkeypatch):
    before = in_service(bench), bench.state

    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(keyring.os, "fchmod", full)
    assert "No space left" in bench.refusal(TAG, "--board", "file:board", "--replace")
    assert (bench.secret, bench.state) == before


@pytest.mark.parametrize(
    ("port", "mend"),
    [
        ("/dev/no-such-port", "no such port"),
        ("", "no serial port"),
        ("a\0b", "no such port"),
        ("e6614103e7452d2f", "no such port"),
        ("./board", "file:./board"),
        ("file:", "no such folder"),
        ("file:none", "no such folder"),
        ("/dev/null", "cannot be opened"),
    ],
)
def test_what_is_no_port_is_refused(bench, port, mend):
    assert mend in bench.refusal(TAG, "--board", port)
    assert bench.state == {}


def test_a_port_that_another_program_has_is_refused(bench):
    with FaultyBoard(bench.flash) as board, Serial(board.port, exclusive=True):
        assert "end the program" in bench.refusal(TAG, "--board", board.port)
    assert bench.state == {}


class Stranger:
    """Something on a pty that is no MicroPython: `answer` gives what it says to what it is told."""

    def __init__(self, answer):
        self._near, self._port_end = pty.openpty()
        tty.setraw(self._port_end)
        os.set_blocking(self._near, False)
        self.port = os.ttyname(self._port_end)
        self._answer, self._over = answer, threading.Event()
        self._thread = threading.Thread(target=self._speak)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._over.set()
        self._thread.join()
        os.close(self._near)
        os.close(self._port_end)

    def _speak(self):
        while not self._over.wait(0.001):
            try:
                told = os.read(self._near, 4096)
            except BlockingIOError:
                told = b""
            with suppress(BlockingIOError):
                os.write(self._near, self._answer(told))


STRANGERS = {
    "silent": (lambda told: b"", "no answer within"),
    "an echo": (lambda told: told, "not MicroPython"),
    "a receiver that never stops": (lambda told: b"$GPRMC,110000.00,V*00\r\n" * 50, "not MicroPython"),
    "a shell": (lambda told: told.replace(b"\r", b"\r\nsh: command not found\r\n$ "), "not MicroPython"),
    "a REPL that says nonsense": (
        lambda told: b"raw REPL; CTRL-B to exit\r\n>R\x01\x00" if told else b"",
        "not MicroPython",
    ),
    "another Python": (lambda told: ANOTHER_PYTHON.get(told[-1:], b""), "not MicroPython"),
}
ANOTHER_PYTHON = {b"\x01": b"raw REPL; CTRL-B to exit\r\n>", b"\x04": b"OK'circuitpython'\r\n\x04\x04>"}


@pytest.mark.parametrize(("answer", "mend"), STRANGERS.values(), ids=STRANGERS)
def test_what_is_no_micropython_is_refused_in_time(bench, impatient, answer, mend):
    with Stranger(answer) as stranger:
        line = bench.refusal(TAG, "--board", stranger.port)
    assert mend in line
    assert stranger.port in line
    assert bench.state == {}


def test_what_mpremote_prints_is_not_printed(bench, monkeypatch):
    def give_up(*_, **options):
        print("what the board said")
        raise TransportError("could not enter raw repl")

    monkeypatch.setattr(repl_board.SerialTransport, "enter_raw_repl", give_up)
    with FaultyBoard(bench.flash) as board:
        bench.refusal(TAG, "--board", board.port)


class Parrot:
    """A board that repeats in its errors what it was told, from the moment it is told a secret."""

    def __init__(self):
        self.repeated = b""
        self._told = b""

    def __call__(self, told):
        self._told += told
        if told.endswith(b"\x01"):  # also to the request for raw paste, which it does not know
            self._told = b""
            return b"raw REPL; CTRL-B to exit\r\n>"
        if not self._told.endswith(b"\x04"):
            return b""
        command, self._told = self._told[:-1], b""
        if b"implementation" in command:
            return b"OK'micropython'\r\n\x04\x04>"
        if not command.startswith(b"w(b"):
            return b"OK\x04\x04>"
        self.repeated += command
        return b"OK" + command + b"\x04Traceback: " + command + b"\r\nOSError: " + command + b"\x04>"


def test_a_board_that_repeats_the_secret_does_not_bring_it_into_the_message(bench, monkeypatch):
    secret = bytes(range(0x41, 0x51))
    monkeypatch.setattr("strapline_hil.provisioning.secrets.token_bytes", lambda size: secret)
    parrot = Parrot()
    with Stranger(parrot) as stranger:
        line = bench.refusal(TAG, "--board", stranger.port, "--replace")
    assert secret in parrot.repeated
    assert not any(form in line.encode() for form in forms(secret))
    assert bench.state == {}


def test_a_boards_file_system_that_refuses_is_told(bench):
    (bench.flash / storage.SECRET_WRITTEN).mkdir()
    with FaultyBoard(bench.flash) as board:
        line = bench.refusal(TAG, "--board", board.port)
    assert "directory" in line
    assert "--replace" in line
    assert bench.state == {}


def test_a_board_that_reads_back_something_else_is_no_tag(bench, monkeypatch):
    before = in_service(bench), bench.gateway, bench.centre
    write = Folder.write
    monkeypatch.setattr(Folder, "write", lambda self, name, data: write(self, name, data[:-1] + b"?"))
    line = bench.refusal(TAG, "--board", "file:board", "--replace")
    assert "reads back" in line
    assert not (bench.flash / SECRET).exists()
    assert (before[1], before[2]) == (bench.gateway, bench.centre)
