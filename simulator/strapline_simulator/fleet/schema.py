"""The JSON Schema of `fleet.json`, generated from the model: `python -m strapline_simulator.fleet.schema [--check]`."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from strapline_simulator.fleet.summary import Summary
from strapline_simulator.generated import parser_for, write_or_check
from strapline_simulator.report.schema import DIALECT

_MODULE = "strapline_simulator.fleet.schema"
SCHEMA_PATH = Path(__file__).with_name("fleet.schema.json")


def render_schema() -> str:
    """The schema as the shipped file holds it."""
    schema = Summary.model_json_schema(by_alias=True)
    schema["required"] = ["schema", *schema["required"]]
    return json.dumps({"$schema": DIALECT, "$id": "urn:strapline:fleet:1", **schema}, indent=2) + "\n"


def main(arguments: Sequence[str] | None = None, path: Path = SCHEMA_PATH) -> int:
    """Write the schema, or with `--check` compare it; gives the exit code, 1 on drift."""
    asked = parser_for(_MODULE, __doc__).parse_args(arguments)
    return write_or_check(path, render_schema(), f"python -m {_MODULE}", check=asked.check)


if __name__ == "__main__":
    sys.exit(main())
