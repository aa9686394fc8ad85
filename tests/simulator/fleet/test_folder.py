"""A fleet's folder: whole shards or none, one question, one run at a time."""

import pytest

from fleet_stand_in import result_of, work
from strapline_protocol.errors import UserError
from strapline_simulator.fleet.folder import RunFolder
from strapline_simulator.fleet.question import DEFAULT_MIX, Question, shards
from strapline_simulator.fleet.results import result_from_line, result_to_line
from strapline_simulator.fleet.run import Means, complete

ASKED = Question(40, 96.0, 1, "2026-03-02", "Europe/Berlin", DEFAULT_MIX, 0.02, False, "")


def keep(folder, numbers):
    planned = shards(ASKED)
    for number in numbers:
        folder.keep(planned[number], work(ASKED, planned[number]))


def test_a_result_comes_back_as_it_went():
    for shard in shards(ASKED):
        for home in shard.homes:
            result = result_of(ASKED, home)
            assert result_from_line(result_to_line(result)) == result


def test_what_is_done_stands_for_the_next_run_and_is_not_run_again(tmp_path):
    with RunFolder(tmp_path / "run", ASKED) as folder:
        keep(folder, (0, 2))
    ran = []
    with RunFolder(tmp_path / "run", ASKED) as folder:
        assert folder.done() == {0, 2}
        complete(work, ASKED, folder, Means(), lambda shard: ran.append(shard.number))
        resumed = list(folder.results(shards(ASKED)))
    assert ran == [number for number in range(len(shards(ASKED))) if number not in (0, 2)]
    assert resumed == [result_of(ASKED, home) for shard in shards(ASKED) for home in shard.homes]


@pytest.mark.parametrize("cut", [0, 1, 40, -2, -20])
def test_a_shard_that_is_not_whole_is_run_again(tmp_path, cut):
    with RunFolder(tmp_path, ASKED) as folder:
        keep(folder, (0, 1))
        file = tmp_path / "shards/000001.jsonl"
        file.write_bytes(file.read_bytes()[:cut])
        assert folder.done() == {0}


def test_another_question_is_told_with_the_difference(tmp_path):
    with RunFolder(tmp_path, ASKED) as folder:
        keep(folder, (0,))
    with (
        pytest.raises(UserError, match=r"seed 1, not 2\); give another folder"),
        RunFolder(tmp_path, ASKED._replace(seed=2)),
    ):
        pass


def test_two_runs_at_once_are_told(tmp_path):
    with (
        RunFolder(tmp_path, ASKED),
        pytest.raises(UserError, match="another run is at work"),
        RunFolder(tmp_path, ASKED),
    ):
        pass


def test_a_folder_that_cannot_be_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="give a folder that can be written"), RunFolder(tmp_path / "file/run", ASKED):
        pass


def test_a_run_that_did_nothing_leaves_the_folder_free(tmp_path):
    with RunFolder(tmp_path, ASKED):
        pass
    other = ASKED._replace(seed=2)
    with RunFolder(tmp_path, other):
        pass
    with RunFolder(tmp_path, other) as folder:
        assert folder.done() == set()


def test_a_damaged_manifest_is_told(tmp_path):
    with RunFolder(tmp_path, ASKED) as folder:
        keep(folder, (0,))
    (tmp_path / "question.json").write_text("{")
    with pytest.raises(UserError, match="damaged"), RunFolder(tmp_path, ASKED):
        pass
