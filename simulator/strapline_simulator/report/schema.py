"""The JSON Schema of `report.json`, generated from the model: `python -m strapline_simulator.report.schema [--check]`."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue

from strapline_simulator.generated import parser_for, write_or_check
from strapline_simulator.report.model import Report

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_MODULE = "strapline_simulator.report.schema"
SCHEMA_PATH = Path(__file__).with_name("report.schema.json")


class _Untitled(GenerateJsonSchema):
    """Leaves out the titles that pydantic makes from field names, which say nothing more."""

    def field_title_should_be_set(self, schema: object) -> bool:
        return False


def render_schema() -> str:
    """The schema as the shipped file holds it."""
    schema: JsonSchemaValue = Report.model_json_schema(by_alias=True, schema_generator=_Untitled)
    schema["required"] = ["schema", *schema["required"]]
    return json.dumps({"$schema": DIALECT, "$id": "urn:strapline:report:1", **schema}, indent=2) + "\n"


def main(arguments: Sequence[str] | None = None, path: Path = SCHEMA_PATH) -> int:
    """Write the schema, or with `--check` compare it; gives the exit code, 1 on drift."""
    asked = parser_for(_MODULE, __doc__).parse_args(arguments)
    return write_or_check(path, render_schema(), f"python -m {_MODULE}", check=asked.check)


if __name__ == "__main__":
    sys.exit(main())
