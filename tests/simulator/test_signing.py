"""`strapline firmware keygen | sign | verify`: no leaf signs twice, whoever kills, copies, restores or runs it twice at once."""

import json
import os
import re
import shutil
import signal
import stat
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyhsslms
import pytest

from strapline_protocol.command import main
from strapline_protocol.errors import UserError
from strapline_protocol.updates import Manifest, SignedImage
from strapline_simulator.firmware import signing
from strapline_simulator.quick_key import QuickKey
from strapline_wire import manifest
from update_bench import Life, image_of

IMAGE = image_of("application", 900)


class Desk:
    """A folder with a key, its ledger and an image, and the command in it."""

    def __init__(self, folder, capfd):
        self.folder = folder
        self.key, self.ledger, self.public = folder / "release", folder / "release.ledger", folder / "release.pub"
        (folder / "app.mpy").write_bytes(IMAGE)
        self._capfd = capfd
        self._count = 0

    def strapline(self, *arguments):
        """(exit status, stdout, stderr)."""
        try:
            main(["firmware", *map(str, arguments)])
        except SystemExit as left:
            status = left.code
        return (status or 0, *self._capfd.readouterr())

    def sign(self, *arguments):
        self._count += 1
        out = self.folder / f"signed-{self._count}"
        fixed = ("--key", self.key, "--board", "esp32-c3", "--sequence", 7, "--out", out)
        return *self.strapline("sign", self.folder / "app.mpy", *fixed, *arguments), out

    def signed(self, *arguments):
        status, _, err, out = self.sign(*arguments)
        assert (status, err) == (0, "")
        return SignedImage.parse(out.read_bytes())

    def refusal(self, *arguments):
        """The one line of a refusal; and nothing was signed by it."""
        before = self.ledger.read_bytes() if self.ledger.exists() else None
        status, out, err, path = self.sign(*arguments)
        assert (status, out, err.count("\n")) == (2, "", 1), (status, out, err)
        assert not path.exists()
        assert before == (self.ledger.read_bytes() if self.ledger.exists() else None)
        return err

    @property
    def next(self):
        return json.loads(self.key.read_text())["next"]

    @property
    def leaves(self):
        return [int(line.split()[0]) for line in self.ledger.read_text().splitlines()[1:]]


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    """A key takes a second to make: made once."""
    folder = tmp_path_factory.mktemp("signing") / "template"
    folder.mkdir()
    signing.make_key(folder / "release", folder / "release.ledger")
    return folder


@pytest.fixture
def desk(template, tmp_path, capfd, monkeypatch):
    folder = tmp_path / "desk"
    shutil.copytree(template, folder)
    fresh_tree(folder / "release")
    monkeypatch.chdir(folder)
    return Desk(folder, capfd)


def fresh_tree(key):
    """The key as a new process has it: in one process pyhsslms itself signs with no leaf twice, and that is not to be what holds."""
    tree = signing._tree(*signing._read(key)[:2])
    for leaf in tree.ots_priv:
        leaf._signatures_remaining = 1


def leaf_of(signed):
    return int.from_bytes(signed.signature[:4], "big")


def test_what_is_signed_verifies_here_in_pyhsslms_and_on_a_tag(desk):
    signed = desk.signed()
    public = desk.public.read_bytes()
    assert signing.verify(signed, [public])
    assert pyhsslms.LmsPublicKey.deserialize(public).verify(signed.manifest.pack(), signed.signature)
    life = Life(QuickKey(), capacity=1000, keys=[public])
    life.install(0, signed.stream)
    assert life.boot() == IMAGE


def test_each_signature_has_a_leaf_of_its_own_and_a_line_in_the_ledger(desk):
    assert [leaf_of(desk.signed()) for _ in range(3)] == [0, 1, 2]
    assert desk.leaves == [0, 1, 2]
    assert desk.next == 3
    assert desk.strapline("verify", desk.folder / "signed-1", "--key", desk.public)[0] == 0


def test_keygen_makes_a_key_for_its_owner_alone(tmp_path, capfd, monkeypatch):
    monkeypatch.chdir(tmp_path)
    desk = Desk(tmp_path, capfd)
    old = os.umask(0)
    try:
        status, out, err = desk.strapline("keygen", "release")
    finally:
        os.umask(old)
    assert (status, err) == (0, "")
    assert stat.S_IMODE(desk.key.stat().st_mode) == 0o600
    assert desk.public.read_bytes().hex() in out
    seed = json.loads(desk.key.read_text())["seed"]
    assert seed not in out + desk.ledger.read_text()
    assert stat.S_IMODE(desk.key.stat().st_mode) == 0o600
    for there in (desk.key, desk.ledger, desk.public):
        others = [one.read_bytes() for one in (desk.key, desk.ledger, desk.public) if one != there]
        status, _, err = desk.strapline("keygen", "release")
        assert status == 2
        assert "a key is never replaced" in err
        assert [one.read_bytes() for one in (desk.key, desk.ledger, desk.public) if one != there] == others


def test_signing_keeps_the_key_its_owners_alone(desk):
    desk.signed()
    assert stat.S_IMODE(desk.key.stat().st_mode) == 0o600
    desk.key.chmod(0o640)
    assert "chmod 600" in desk.refusal()


# A leaf never signs twice.


def test_an_old_copy_of_the_key_is_refused_until_told_where_to_go_on(desk):
    copy = desk.key.read_bytes()
    for _ in range(3):
        desk.signed()
    desk.key.write_bytes(copy)
    line = desk.refusal()
    assert "backup" in line
    assert "--from-leaf" in line
    assert "leaf 3 is the first" in desk.refusal("--from-leaf", 2)
    assert leaf_of(desk.signed("--from-leaf", 10)) == 10
    assert leaf_of(desk.signed()) == 11


def test_a_lost_ledger_is_refused_until_told_where_to_go_on(desk):
    desk.signed()
    desk.ledger.unlink()
    assert "no ledger" in desk.refusal()
    assert "leaf 1 is the first" in desk.refusal("--from-leaf", 0)
    assert leaf_of(desk.signed("--from-leaf", 1)) == 1
    assert desk.leaves == [1]


def test_an_old_ledger_beside_the_newest_key_does_no_harm(desk):
    copy = desk.ledger.read_bytes()
    desk.signed()
    desk.ledger.write_bytes(copy)
    assert leaf_of(desk.signed()) == 1


def test_the_ledger_of_another_key_is_refused(desk):
    desk.ledger.write_text(f"strapline ledger of signatures by {QuickKey().public.hex()}\n")
    assert "not the ledger of this key" in desk.refusal()


def test_a_ledger_that_cannot_be_read_is_refused(desk):
    desk.signed()
    desk.ledger.write_text(desk.ledger.read_text() + "one more\n")
    assert "a line begins with no leaf's number" in desk.refusal()


def test_a_line_that_a_cut_left_half_written_is_none(desk):
    desk.signed()
    with desk.ledger.open("a") as file:
        file.write("1 7f3")  # its leaf: the key file has gone past it before
    data = json.loads(desk.key.read_text())
    desk.key.write_text(json.dumps(data | {"next": 2}))
    assert leaf_of(desk.signed()) == 2
    assert desk.leaves == [0, 2]


def test_the_last_leaf_signs_and_then_there_is_none(desk):
    data = json.loads(desk.key.read_text())
    desk.key.write_text(json.dumps(data | {"next": 1023}))
    signed = desk.signed()
    assert leaf_of(signed) == 1023
    assert signing.verify(signed, signing.read_public(desk.public))
    assert "all 1,024 signatures of this key are used" in desk.refusal()
    assert "all 1,024" in desk.refusal("--from-leaf", 1024)


def test_a_key_whose_parts_do_not_belong_together_signs_nothing(desk):
    data = json.loads(desk.key.read_text())
    desk.key.write_text(json.dumps(data | {"seed": "00" * 32}))
    assert "do not belong together" in desk.refusal()
    assert desk.next == 0


@pytest.mark.parametrize(
    "spoilt",
    [
        "",
        "{}",
        "[]",
        "\udcff",
        "[" * 100_000,
        {"format": 2},
        {"next": -1},
        {"next": 1025},
        {"next": True},
        {"next": "0"},
        {"seed": "00"},
        {"seed": 7},
        {"public": "zz"},
        {"more": 1},
    ],
)
def test_what_is_no_key_file_is_refused_in_one_line_without_its_secret(desk, spoilt):
    data = json.loads(desk.key.read_text())
    text = spoilt if isinstance(spoilt, str) else json.dumps(data | spoilt)
    desk.key.write_bytes(text.encode(errors="surrogateescape"))
    line = desk.refusal()
    assert "bring back the file that keygen made" in line
    assert data["seed"] not in line


def test_nobody_signs_while_another_does_and_nobody_twice(desk):
    # Many at once: each signs with a leaf of its own, or is told that somebody else is at it.
    about = Manifest.of(IMAGE, "esp32-c3", 7)
    leaves, refused = [], []

    def work():
        for _ in range(6):
            try:
                leaves.append(leaf_of(signing.sign(desk.key, desk.ledger, IMAGE, about)[0]))
            except UserError as error:
                refused.append(str(error))

    workers = [threading.Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(leaves) + len(refused) == 24
    assert leaves
    assert sorted(leaves) == sorted(set(leaves)) == sorted(desk.leaves)
    assert all("somebody else is writing keys there" in line for line in refused)


def in_a_process_of_its_own(template, *folders):
    script = Path(__file__).with_name("signs_and_dies.py")
    done = subprocess.run([sys.executable, script, template, *folders], capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def test_kill_9_before_each_operation_on_files_never_brings_a_leaf_again(template, tmp_path):
    folders = [tmp_path / f"step-{step}" for step in range(60)]
    ends = dict(line.split() for line in in_a_process_of_its_own(template, *folders))
    assert list(ends.values()) == [str(-signal.SIGKILL)] * (len(ends) - 1) + ["0"]
    assert len(ends) > 10
    offered = []
    for folder in folders[: len(ends)]:
        released = folder / "released"
        first = leaf_of(SignedImage.parse(released.read_bytes())) if released.exists() else None
        fresh_tree(folder / "release")
        about = Manifest.of(IMAGE, "esp32-c3", 7)
        second = leaf_of(signing.sign(folder / "release", folder / "release.ledger", IMAGE, about)[0])
        assert second != first
        assert not list(folder.glob("*.new"))
        offered.append(second)
    assert set(offered) == {0, 1}
    assert offered == sorted(offered)  # once a leaf may be out, it is never offered again


def test_key_file_its_folder_and_the_ledger_are_on_the_disk_before_the_signature_is_made(template, tmp_path):
    (said,) = in_a_process_of_its_own(template, tmp_path / "once")
    # The new key file, its place, its folder; the ledger's line; and only then.
    assert re.fullmatch(r"fsync (replace|rename) fsync pwrite fsync SIGN", said)


# What sign and verify say.


def test_the_manifest_says_what_was_asked(desk):
    before = datetime.now(UTC)
    signed = desk.signed("--valid-days", 30)
    about = signed.manifest
    assert (about.board, about.sequence, about.size) == ("esp32-c3", 7, 900)
    assert before + timedelta(days=30, seconds=-1) <= about.expires <= datetime.now(UTC) + timedelta(days=30)
    assert desk.signed("--valid-days", 0).manifest.expires is None
    assert len(signed.stream) == manifest.HEAD + 900


def test_verify_says_no_to_another_key_and_to_what_was_changed(desk):
    desk.signed()
    path = desk.folder / "signed-1"
    status, out, _ = desk.strapline("verify", path, "--key", desk.public)
    assert status == 0
    assert "sequence 7 for esp32-c3, 900 bytes" in out
    assert "the signature holds" in out
    other = desk.folder / "other.pub"
    other.write_bytes(QuickKey().public)
    assert desk.strapline("verify", path, "--key", other)[0] == 1
    other.write_bytes(QuickKey().public + desk.public.read_bytes())
    assert desk.strapline("verify", path, "--key", other)[0] == 0
    data = bytearray(path.read_bytes())
    data[1000] ^= 1
    path.write_bytes(data)
    assert desk.strapline("verify", path, "--key", desk.public)[0] == 1
    data[1000] ^= 1
    data[-1] ^= 1
    path.write_bytes(data)
    assert "not the one that its manifest names" in desk.strapline("verify", path, "--key", desk.public)[2]
    path.write_bytes(data + b"\0")
    assert "names an image of 900 bytes, and 901 are here" in desk.strapline("verify", path, "--key", desk.public)[2]
    path.write_bytes(b"")
    assert "no signed image" in desk.strapline("verify", path, "--key", desk.public)[2]
    assert "no public key" in desk.strapline("verify", path, "--key", desk.key)[2]


def test_mistakes_are_one_line_and_use_no_leaf(desk):
    for wrong in (
        ("--board", "ein viel zu langer Name"),
        ("--board", ""),
        ("--board", "ü"),
        ("--sequence", 0),
        ("--sequence", 1 << 32),
    ):
        desk.refusal(*wrong)
    (desk.folder / "app.mpy").write_bytes(b"")
    assert "image: 0 bytes" in desk.refusal()
    (desk.folder / "app.mpy").unlink()
    assert "cannot be read" in desk.refusal()
    (desk.folder / "app.mpy").write_bytes(IMAGE)
    (desk.folder / "there").write_bytes(b"")
    status, _, err, _ = desk.sign("--out", "there")
    assert status == 2
    assert "there is a file already" in err
    desk.key.rename(desk.folder / "gone")
    assert "cannot be read" in desk.refusal()
    (desk.folder / "gone").rename(desk.key)
    assert desk.next == 0
