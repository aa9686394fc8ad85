"""Mixes of faults laid over a scenario: repeatable, sound, and small where they are not."""

import pytest
import typer
from typer.testing import CliRunner

from strapline_gateway.gateway import Gateway
from strapline_protocol.errors import UserError
from strapline_simulator.command import register
from strapline_simulator.mixes.command import judge, seeds_of, shrunk
from strapline_simulator.mixes.mix import TAIL_S, Unit, mixed
from strapline_simulator.mixes.shrink import shrink
from strapline_simulator.scenario import Scenario, Step, load_scenario, shipped_scenarios
from strapline_simulator.scenario.writer import render_scenario
from strapline_simulator.simulation import Options
from strapline_simulator.soundness.causes import has_cause
from strapline_simulator.soundness.spans import due_s, spans_of
from strapline_simulator.soundness.verdict import Evidence, Heard, unsound
from strapline_simulator.world.truth import Truth
from strapline_tag.tag import Tag

OPTIONS = Options(body="model", air="frames")
SHORT_S = 1200.0


def scenario(*steps, minutes=60):
    return Scenario.model_validate(
        {
            "title": "t",
            "start": "2026-03-02T20:00:00+01:00",
            "duration": f"{minutes}min",
            "steps": [{"at": at, verb: argument} for at, verb, argument in steps],
            "expect": [{"sound": True}],
        }
    )


def evidence(**changes):
    return Evidence(
        **{"events": [], "truths": [], "alerts": [], "gaps": {}, "waits": {}, "conflicts": 0, "dark": []} | changes
    )


# The mix.


def test_a_seed_gives_the_same_mix_and_another_seed_another_one():
    base = load_scenario("strap-cut")
    mixes = [render_scenario(mixed(base, seed)[0]) for seed in (3, 3, 4)]
    assert mixes[0] == mixes[1] != mixes[2]


@pytest.mark.parametrize("name", ["strap-cut", "r42-broker-restart", "r33-the-doctor", "r20-mains"])
def test_a_mix_can_be_written_to_a_file_and_read_back(name, tmp_path):
    for seed in range(20):
        mix, _ = mixed(load_scenario(name), seed)
        path = tmp_path / f"{name}.yaml"
        path.write_text(render_scenario(mix))
        again = load_scenario(str(path))
        assert again.steps == mix.steps
        assert again.duration_s == mix.duration_s


def test_shipped_scenarios_survive_being_written(tmp_path):
    for name in [*shipped_scenarios()][::4]:
        first = load_scenario(name)
        path = tmp_path / f"{name}.yaml"
        path.write_text(render_scenario(first))
        assert load_scenario(str(path)).model_dump() == first.model_dump()


@pytest.mark.parametrize("seed", range(40))
def test_every_fault_of_a_mix_is_over_before_its_quiet_end(seed):
    mix, units = mixed(load_scenario("r24-power-cuts"), seed)
    assert sum(len(unit.steps) for unit in units) <= len(mix.steps)
    assert all(span.end_s <= mix.duration_s - TAIL_S + 600 for span in spans_of(mix))


def test_a_mix_is_sound_and_the_same_twice():
    mix, _ = mixed(load_scenario("strap-cut"), 6, SHORT_S)
    first, second = judge(mix, OPTIONS), judge(mix, OPTIONS)
    assert first.wrong == {}
    assert first == second


# What is sound.


def test_the_command_takes_a_seed_or_a_range_of_them():
    assert list(seeds_of("7")) == [7]
    assert list(seeds_of("3-5")) == [3, 4, 5]
    for wrong in ("x", "5-3", ""):
        with pytest.raises(UserError, match="--chaos"):
            seeds_of(wrong)


def test_an_alarm_is_due_a_quarter_of_an_hour_after_the_last_of_what_was_broken():
    story = scenario(
        ("10min", "adapter", "gone"),
        ("20min", "adapter", "well"),
        ("25min", "stop", "centre"),
        ("30min", "start", "centre"),
    )
    spans = spans_of(story)
    assert [(span.what, span.begin_s, span.end_s) for span in spans] == [
        ("adapter", 600, 1200),
        ("part/centre", 1500, 1800),
    ]
    assert due_s(700, spans) == 1800 + 900
    assert due_s(2000, spans) == 2000 + 900
    assert spans_of(scenario(("10min", "cell", False)))[0].end_s == 3600


def test_each_thing_that_must_not_be_is_found():
    story = scenario(("1min", "present_key", "arm"), ("10min", "cut_strap", True))
    cut = Truth("strap_open", 600, 601, "the strap opens", 1500)
    told = Heard("strap_open", 600.2, 601.0)
    assert unsound(story, evidence(events=[told], truths=[cut], alerts=["strap_open"])) == []

    def kinds(**changes):
        return [wrong.kind for wrong in unsound(story, evidence(**{"events": [told], "truths": [cut]} | changes))]

    assert kinds(gaps={"7a900001": 2}) == ["lost"]
    assert kinds(waits={"the tag": 1, "gateway": 0}) == ["waits"]
    assert kinds(conflicts=1) == ["conflict"]
    assert kinds(events=[]) == ["missing strap_open"]
    assert kinds(events=[Heard("strap_open", 600.2, 1600.0)]) == ["late strap_open"]
    assert kinds(events=[told, told]) == ["doubled strap_open"]
    assert kinds(alerts=["removed"]) == ["causeless removed"]
    assert kinds(events=[], dark=[(599, 605)]) == []


def test_an_alert_needs_a_step_that_may_cause_it():
    assert has_cause("left_home", ["adapter"])
    assert has_cause("alarm", ["open_strap"])
    assert not has_cause("clone_heard", ["radio_reports", "line_noise", "adapter"])
    assert not has_cause("left_home", ["ledger_locked"])
    assert not has_cause("of another version", ["go"])


# Small.


def test_shrinking_leaves_only_what_is_needed():
    base = load_scenario("strap-cut")
    units = [Unit((Step.model_validate({"at": f"{n * 70}s", "note": f"{n}"}),)) for n in range(12)]

    def fails(candidate):
        notes = {step.note for step in candidate.steps}
        return {"3", "8"} <= notes

    found = shrink(base, units, fails, TAIL_S)
    assert [(step.note, step.at) for step in found.scenario.steps] == [("3", "4min"), ("8", "9min")]
    assert found.scenario.duration_s == 9 * 60 + 300
    assert found.runs < 60


def test_a_broken_part_is_found_and_shrinks_to_a_file_that_fails_alone(monkeypatch, tmp_path):
    """A tag that is not armed any more once its power is back."""
    monkeypatch.setattr(Tag, "_resume", lambda _tag: None)
    base = load_scenario("strap-cut")
    cuts = [seed for seed in range(60) if any(step.power_cut for step in mixed(base, seed)[0].steps)]
    seed, kinds = next(
        (seed, set(wrong)) for seed in cuts if (wrong := judge(mixed(base, seed, SHORT_S)[0], OPTIONS).wrong)
    )
    assert "missing strap_open" in kinds
    small, _ = shrunk(base, seed, kinds, OPTIONS, SHORT_S)
    assert sorted(step.verb for step in small.steps) == ["cut_strap", "power_cut", "present_key"]
    path = tmp_path / "small.yaml"
    path.write_text(render_scenario(small))
    assert run("strapline", "run", str(path), "--on", "model", "--air", "frames") == 1
    monkeypatch.undo()
    assert run("strapline", "run", str(path), "--on", "model", "--air", "frames") == 0


def run(*words):
    typer_app = typer.Typer()
    register(typer_app)
    return CliRunner().invoke(typer_app, words[1:]).exit_code


def test_chaos_on_the_command_line(tmp_path, monkeypatch):
    assert run("strapline", "run", "strap-cut", "--on", "model", "--air", "frames", "--chaos", "6") == 0
    monkeypatch.setattr(Gateway, "tell", lambda _gateway, _notice: 1 // 0)
    seed = next(
        seed
        for seed in range(60)
        if any(step.gateway_device for step in mixed(load_scenario("strap-cut"), seed)[0].steps)
    )
    path = tmp_path / "small.yaml"
    words = ("run", "strap-cut", "--on", "model", "--air", "frames", "--chaos", str(seed), "--shrink", str(path))
    assert run("strapline", *words) == 1
    assert [step.verb for step in load_scenario(str(path)).steps] == ["gateway_device"]
