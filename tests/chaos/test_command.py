"""`strapline chaos`: what it prints, writes and ends with."""

import json

import pytest
import typer
from typer.testing import CliRunner

from strapline_simulator.chaos import run
from strapline_simulator.chaos.command import chaos


@pytest.fixture
def cli():
    app = typer.Typer()
    app.command()(chaos)
    return lambda *arguments: CliRunner().invoke(app, arguments)


def test_a_seed_that_passes_is_told_and_written(cli, tmp_path):
    result = cli("--seed", "140", "--json", str(tmp_path / "out/chaos.json"))
    assert result.exit_code == 0
    assert result.stdout.startswith("pass  seed 140: simulated_s ")
    told = json.loads((tmp_path / "out/chaos.json").read_text())
    assert told["summary"]["failed"] == []
    assert told["summary"]["missing"] == told["summary"]["duplicates_stored"] == 0
    assert told["runs"][0]["digest"]


def test_a_seed_that_fails_is_told_with_the_command_that_repeats_it(cli, monkeypatch):
    def breaks(seed):
        raise RuntimeError(f"seed {seed} broke the world")

    monkeypatch.setattr(run, "run_seed", breaks)
    result = cli("--runs", "2", "--first", "41", "--jobs", "1")
    assert result.exit_code == 1
    assert "FAIL  seed 41" in result.stdout
    assert "strapline chaos --seed 42" in result.stdout


def test_a_file_that_cannot_be_written_is_one_line(cli, tmp_path):
    result = cli("--runs", "0", "--json", str(tmp_path))
    assert result.exit_code != 0
    assert "give a file that can be written" in str(result.exception)
