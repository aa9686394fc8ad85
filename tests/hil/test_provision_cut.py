"""`strapline provision`, cut off in the middle: by a wire that fails, and by `kill -9`. Another run mends all of it."""

import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from provision_bench import MEMORY, OTHER_TAG, REQUESTS, SECRET, TAG, ProvisionBench, in_service
from pty_board import FaultyBoard
from strapline_hil import board_line
from strapline_protocol.keys import centre_keys, gateway_keys

STRAPLINE = Path(sys.executable).with_name("strapline")


@pytest.mark.parametrize("fails", ["request", "answer", "port"])
@pytest.mark.parametrize("step", range(1, REQUESTS + 1))
def test_a_wire_that_fails_at_any_step_loses_nothing_that_a_second_run_does_not_mend(bench, monkeypatch, step, fails):
    def patience_ends(board):
        return fails != "port" and board.failed.is_set()

    old = in_service(bench)
    files = bench.gateway, bench.centre
    with FaultyBoard(bench.flash, fail_at=step, fails=fails) as board, monkeypatch.context() as clock:
        clock.setattr(board_line, "monotonic", lambda: time.monotonic() + (3600 if patience_ends(board) else 0))
        line = bench.refusal(TAG, "--board", board.port, "--replace")
        assert board.failed.is_set()
    assert board.port in line
    assert ("has gone" in line) == (fails == "port")
    assert files == (bench.gateway, bench.centre)
    never_an_old_secret_without_its_memory(bench.flash, old)
    with FaultyBoard(bench.flash) as board:
        assert bench.strapline(TAG, "--board", board.port, "--replace")[0] == 0
        assert board.requests == REQUESTS
    bench.agrees()
    assert bench.secret != old
    assert bench.gateway[OTHER_TAG] == files[0][OTHER_TAG]


def never_an_old_secret_without_its_memory(flash, old):
    secret, memory = flash / SECRET, flash / MEMORY
    if secret.exists():
        assert len(secret.read_bytes()) == 16
        assert secret.read_bytes() != old or memory.read_bytes() == b"counters"


def test_kill_9_while_the_board_is_written_to_leaves_the_key_files_as_they_were(bench):
    old = in_service(bench)
    files = bench.gateway, bench.centre
    with FaultyBoard(bench.flash, fail_at=6) as board:
        command = [STRAPLINE, "provision", TAG, "--board", board.port, "--replace"]
        child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert board.failed.wait(60)
        child.kill()
        assert child.communicate() == (b"", b"")
    assert child.returncode == -signal.SIGKILL
    assert files == (bench.gateway, bench.centre)
    never_an_old_secret_without_its_memory(bench.flash, old)
    with FaultyBoard(bench.flash) as board:
        bench.provision(board=board.port, replace=True)
    bench.agrees()


def test_kill_9_before_any_operation_on_files_leaves_what_a_second_run_mends(bench, tmp_path_factory):
    old = in_service(bench)
    before = bench.gateway, bench.centre
    template = tmp_path_factory.mktemp("dies") / "template"
    bench.folder.rename(template)
    bench.folder.mkdir()
    folders = [template.with_name(f"step-{step}") for step in range(200)]
    script = Path(__file__).with_name("dies_at_each_step.py")
    done = subprocess.run([sys.executable, script, template, *folders], capture_output=True, text=True, check=True)
    ends = dict(line.split() for line in done.stdout.splitlines())
    assert set(ends.values()) == {str(-signal.SIGKILL), "0"}
    assert list(ends.values()).count("0") == 1
    stages = [check_remains(folder, old, *before) for folder in folders if folder.name in ends]
    assert stages == sorted(stages)
    assert set(stages) == {"0 old", "1 no tag", "2 board", "3 board and centre", "4 all"}


def check_remains(folder, old, gateway, centre):
    """How far it came; and that a second run mends it."""
    there = ProvisionBench.__new__(ProvisionBench)
    there.folder, there.flash = folder, folder / "board"
    there.gateway_file, there.centre_file = folder / "gateway-keys.json", folder / "centre-keys.json"
    never_an_old_secret_without_its_memory(there.flash, old)
    for now, then in ((there.gateway, gateway), (there.centre, centre)):
        assert set(now) == {TAG, OTHER_TAG}
        assert now[OTHER_TAG] == then[OTHER_TAG]
    stage = stage_of(there, old, gateway, centre)
    there.provision(replace=True)
    there.agrees()
    return stage


def stage_of(there, old, gateway, centre):
    told = (there.centre != centre, there.gateway != gateway)
    if not (there.flash / SECRET).exists():
        assert told == (False, False)
        return "1 no tag"
    if there.secret == old:
        assert told == (False, False)
        return "0 old"
    assert told != (False, True)
    if told[0]:
        assert there.centre[TAG] == centre_keys(TAG, there.secret)
    if told[1]:
        assert there.gateway[TAG] == gateway_keys(TAG, there.secret)
    return {(False, False): "2 board", (True, False): "3 board and centre", (True, True): "4 all"}[told]


@pytest.mark.parametrize("name", ["centre-keys.json", "gateway-keys.json"])
def test_a_key_file_that_cannot_be_put_in_place_is_told_with_the_mend(bench, monkeypatch, name):
    in_service(bench)
    replace = Path.replace

    def refuse(self, target):
        if Path(target).name == name:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return replace(self, target)

    with monkeypatch.context() as broken:
        broken.setattr(Path, "replace", refuse)
        line = bench.refusal(TAG, "--board", "file:board", "--replace")
    assert name in line
    assert f"provision {TAG} again with --replace" in line
    bench.provision(replace=True)
    bench.agrees()
