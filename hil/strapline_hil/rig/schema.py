"""The JSON Schema of a rig file, for editors: `python -m strapline_hil.rig.schema FILE [--check]`.

It says what can be said of one part at a time; what several parts must agree on (names, channels) only the loader checks.
"""

import json
import sys
from collections.abc import Sequence

from strapline_hil.rig.file import RigFile
from strapline_hil.rig.parts import ROLES
from strapline_simulator.generated import file_command
from strapline_simulator.scenario.schema import DIALECT, ForEditors

_MODULE = "strapline_hil.rig.schema"


def render_schema() -> str:
    """The schema as the shipped file holds it."""
    made = RigFile.model_json_schema(schema_generator=ForEditors, ref_template="#/definitions/{model}")
    definitions = made.pop("$defs")
    made["properties"].pop("path", None)
    made["title"] = "A rig of Strapline"
    anything = made["properties"]["instruments"].pop("additionalProperties")
    by_driver = anything["discriminator"]["mapping"]
    made["properties"]["instruments"] |= {
        "properties": {role: _one_of([by_driver[driver] for driver in drivers]) for role, drivers in ROLES.items()},
        "additionalProperties": False,
    }
    return json.dumps({"$schema": DIALECT, **made, "definitions": definitions}, indent=2, ensure_ascii=False) + "\n"


def _one_of(references: Sequence[str]) -> dict[str, object]:
    if len(references) == 1:
        return {"$ref": references[0]}
    return {"anyOf": [{"$ref": reference} for reference in dict.fromkeys(references)]}


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the file, or with `--check` compare it; gives the exit code, 1 on drift."""
    return file_command(_MODULE, __doc__, render_schema, arguments)


if __name__ == "__main__":
    sys.exit(main())
