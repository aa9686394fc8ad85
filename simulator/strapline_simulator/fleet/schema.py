"""The JSON Schema of `fleet.json`, generated from the model: `python -m strapline_simulator.fleet.schema [--check]`."""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from strapline_simulator.fleet.summary import Summary
from strapline_simulator.report.schema import DIALECT

SCHEMA_PATH = Path(__file__).with_name("fleet.schema.json")


def render_schema() -> str:
    """The schema as the shipped file holds it."""
    schema = Summary.model_json_schema(by_alias=True)
    schema["required"] = ["schema", *schema["required"]]
    return json.dumps({"$schema": DIALECT, "$id": "urn:strapline:fleet:1", **schema}, indent=2) + "\n"


def main(arguments: Sequence[str] | None = None, path: Path = SCHEMA_PATH) -> int:
    """Write the schema, or with `--check` compare it; gives the exit code, 1 on drift."""
    parser = argparse.ArgumentParser(prog="python -m strapline_simulator.fleet.schema", description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; exit 1 if the file is not up to date")
    rendered = render_schema()
    if not parser.parse_args(arguments).check:
        path.write_text(rendered, encoding="utf-8")
        return 0
    if path.is_file() and path.read_text(encoding="utf-8") == rendered:
        return 0
    print(f"{path.name} differs from the model: run `python -m strapline_simulator.fleet.schema`", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
