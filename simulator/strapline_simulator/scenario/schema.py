"""The JSON Schema of a scenario file, for editors: `python -m strapline_simulator.scenario.schema FILE [--check]`.

It says what can be said of one part at a time. What several parts must agree on (names of steps and places, moments) only the
loader checks.
"""

import json
import sys
from collections.abc import Sequence
from typing import Any, get_args

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue

from strapline_centre.alerts import CODES
from strapline_centre.escalation import STEPS
from strapline_protocol.definitions import EventCode
from strapline_protocol.notices import NoticeCode
from strapline_simulator.generated import file_command
from strapline_simulator.scenario.examples import EXAMPLES
from strapline_simulator.scenario.expectation import ALL_CONDITIONS, CONDITIONS
from strapline_simulator.scenario.model import Scenario
from strapline_simulator.scenario.step import Verb

_MODULE = "strapline_simulator.scenario.schema"
DIALECT = "http://json-schema.org/draft-07/schema#"
"""What editors' YAML servers read best."""

_EVENTS = sorted(code.name.lower() for code in EventCode)
_NOTICES = sorted(str(code) for code in NoticeCode)
_WORDS = {
    "event": _EVENTS,
    "never": _EVENTS,
    "alert": sorted(CODES),
    "over": sorted(CODES),
    "no_alert": ["any", *sorted(CODES)],
    "told": [step.role for step in STEPS],
    "notice": _NOTICES,
    "no_notice": _NOTICES,
}
"""What is checked by code, spelt out so that an editor can offer it."""


_BY_NAME = ("TrackSpec",)
"""What may also be written as a mere name."""


class ForEditors(GenerateJsonSchema):
    """Without titles made from names, and without null, which nobody writes."""

    def field_title_should_be_set(self, schema: object) -> bool:
        return False

    def nullable_schema(self, schema: Any) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: Any) -> JsonSchemaValue:
        made = super().default_schema(schema)
        if made.get("default", ...) is None:
            made.pop("default")
        return made


def render_schema() -> str:
    """The schema as the shipped file holds it."""
    made = Scenario.model_json_schema(schema_generator=ForEditors, ref_template="#/definitions/{model}")
    definitions = made.pop("$defs")
    for ours in ("name", "folder"):
        made["properties"].pop(ours, None)
    made["title"] = "A scenario of Strapline"
    _choose_one(definitions["Step"], list(get_args(Verb)), "verb")
    _choose_one(definitions["Expectation"], list(CONDITIONS), "claim")
    definitions["Expectation"]["allOf"] = [_rule(claim) for claim in CONDITIONS]
    for claim, words in _WORDS.items():
        definitions["Expectation"]["properties"][claim]["enum"] = words
    for name in _BY_NAME:
        definitions[name] = {"anyOf": [{"type": "string", "minLength": 1}, definitions[name]]}
    return json.dumps({"$schema": DIALECT, **made, "definitions": definitions}, indent=2, ensure_ascii=False) + "\n"


def _choose_one(definition: dict[str, Any], names: list[str], what: str) -> None:
    definition["oneOf"] = [{"required": [name]} for name in names]
    definition["description"] = (
        f"{definition.get('description', '')} Exactly one {what} of: {', '.join(names)}.".strip()
    )
    for name in names:
        if name in EXAMPLES:
            definition["properties"][name]["examples"] = [EXAMPLES[name]]


def _rule(claim: str) -> dict[str, Any]:
    """With this claim the conditions that it does not take are mistakes."""
    refused = {name: False for name in ALL_CONDITIONS if name not in CONDITIONS[claim]}
    return {"if": {"required": [claim]}, "then": {"properties": refused}}


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the file, or with `--check` compare it; gives the exit code, 1 on drift."""
    return file_command(_MODULE, __doc__, render_schema, arguments)


if __name__ == "__main__":
    sys.exit(main())
