"""The JSON Schema says what the model says, and the shipped file is the generated one."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from strapline_simulator.report import Report, schema

VALIDATOR = jsonschema.Draft202012Validator


@pytest.fixture
def shipped() -> Any:
    return json.loads(schema.SCHEMA_PATH.read_text(encoding="utf-8"))


def objects(node: Any) -> Iterator[dict[str, Any]]:
    """Every object schema inside."""
    if isinstance(node, dict):
        if "properties" in node:
            yield node
        for inner in node.values():
            yield from objects(inner)


def test_the_shipped_schema_is_up_to_date() -> None:
    assert schema.main(["--check"]) == 0


def test_drift_is_one_clear_line_and_exit_code_1_and_changes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "report.schema.json"
    path.write_text("{}\n")
    assert schema.main(["--check"], path) == 1
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "report.schema.json differs" in said
    assert path.read_text() == "{}\n"


def test_a_missing_file_is_drift_and_writing_mends_it(tmp_path: Path) -> None:
    path = tmp_path / "report.schema.json"
    assert schema.main(["--check"], path) == 1
    assert schema.main([], path) == 0
    assert schema.main(["--check"], path) == 0


def test_it_is_a_schema_of_its_dialect_and_takes_the_sample(
    shipped: Any, report: Report, failed_report: Report
) -> None:
    VALIDATOR.check_schema(shipped)
    assert shipped["$schema"] == schema.DIALECT
    for sample in (report, failed_report, report.model_copy(update={"title": None, "broker": None})):
        VALIDATOR(shipped).validate(json.loads(sample.to_json()))


@pytest.mark.parametrize("name", ["schema", "scenario", "events", "ledger", "alarm_latency_s"])
def test_it_misses_a_field_that_is_not_there(shipped: Any, report: Report, name: str) -> None:
    fields = json.loads(report.to_json())
    del fields[name]
    assert not VALIDATOR(shipped).is_valid(fields)


def test_it_refuses_unknown_fields_at_every_level(shipped: Any) -> None:
    assert all(found["additionalProperties"] is False for found in objects(shipped))


def test_every_field_has_a_description(shipped: Any) -> None:
    bare = [
        name for found in objects(shipped) for name, field in found["properties"].items() if "description" not in field
    ]
    assert bare == []


def test_every_number_has_a_unit(shipped: Any) -> None:
    for found in objects(shipped):
        for name, field in found["properties"].items():
            kinds = [field, *field.get("anyOf", [])]
            numbers = [kind for kind in kinds if kind.get("type") in {"number", "integer"} and "const" not in kind]
            assert all("unit" in kind for kind in numbers) or name == "seed", name
