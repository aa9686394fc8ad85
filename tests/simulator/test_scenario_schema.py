"""The JSON Schema for editors: it takes what the loader takes, and refuses what an editor should mark."""

import datetime as dt
import json
from pathlib import Path
from typing import get_args

import jsonschema
import pytest
from ruamel.yaml import YAML

from strapline_simulator.scenario import Scenario, schema, shipped_scenarios
from strapline_simulator.scenario.examples import EXAMPLES
from strapline_simulator.scenario.expectation import CONDITIONS
from strapline_simulator.scenario.step import Verb

FILE = Path(__file__).parents[2] / "docs" / "scenario.schema.json"


@pytest.fixture(scope="module")
def validator():
    made = json.loads(schema.render_schema())
    jsonschema.Draft7Validator.check_schema(made)
    return jsonschema.Draft7Validator(made)


def plain(value):
    if isinstance(value, dict):
        return {str(key): plain(part) for key, part in value.items()}
    if isinstance(value, list):
        return [plain(part) for part in value]
    return value.isoformat() if isinstance(value, dt.datetime) else value


def scenario(step=None, expectation=None):
    return {
        "title": "t",
        "start": "2026-03-02T22:00:00+01:00",
        "duration": "1h",
        "places": {"home": {"lat_deg": 1.0, "lon_deg": 1.0}},
        "steps": [{"at": "1min", "name": "first", **(step or {"present_key": "arm"})}],
        "expect": [expectation or {"missing": 0}],
    }


def test_the_shipped_file_is_up_to_date():
    assert schema.main([str(FILE), "--check"]) == 0


def test_drift_is_told(tmp_path, capsys):
    (tmp_path / "s.json").write_text("{}")
    assert schema.main([str(tmp_path / "s.json"), "--check"]) == 1
    assert "differs" in capsys.readouterr().err
    assert schema.main([str(tmp_path / "s.json")]) == 0
    assert schema.main([str(tmp_path / "s.json"), "--check"]) == 0


def test_every_shipped_scenario_is_valid(validator):
    for name, path in shipped_scenarios().items():
        content = plain(YAML(typ="safe").load(path.read_text()))
        assert [error.message for error in validator.iter_errors(content)] == [], name


@pytest.mark.parametrize("name", [name for name in (*get_args(Verb), *CONDITIONS) if name in EXAMPLES])
def test_every_example_is_valid_for_both(name, validator):
    made = scenario(step={name: EXAMPLES[name]}) if name not in CONDITIONS else scenario(expectation=_claim(name))
    Scenario.model_validate(made)
    validator.validate(made)


def _claim(name):
    claim = {name: EXAMPLES[name]}
    return {**claim, "after": "first"} if name == "alarms_first" else claim


@pytest.mark.parametrize(
    "wrong",
    [
        scenario(step={"cut_strp": True}),
        scenario(step={"cut_strap": True, "case": "open"}),
        scenario(step={"surroundings": "moon"}),
        scenario(expectation={"missing": 0, "after": "first"}),
        scenario(expectation={"never": "removed", "count": 2}),
        scenario(expectation={"event": "strap_opn"}),
        scenario(expectation={"told": "boss"}),
        scenario() | {"shows": ["R56"]},
        scenario() | {"quiet": "perhaps"},
    ],
)
def test_what_an_editor_should_mark_is_refused(wrong, validator):
    assert not validator.is_valid(wrong)
    with pytest.raises(ValueError, match="validation error"):
        Scenario.model_validate(wrong)


def test_everything_that_can_be_written_is_explained():
    made = json.loads(schema.render_schema())["definitions"]
    for part in ("Step", "Expectation"):
        told = made[part]["properties"]
        assert [
            name
            for name in told
            if name != "at"
            and not told[name].get("description")
            and "$ref" not in told[name]
            and "allOf" not in told[name]
        ] == []
