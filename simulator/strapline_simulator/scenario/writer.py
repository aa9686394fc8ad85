"""A scenario as the text of a file, which `load_scenario` reads back to the same scenario."""

from io import StringIO
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap

from strapline_simulator.scenario.model import Scenario

_WIDTH = 160
_IN_A_LINE = ("steps", "expect")


def render_scenario(scenario: Scenario) -> str:
    """YAML: what is not the default, a step or expectation a line."""
    content = scenario.model_dump(mode="json", exclude_none=True, exclude_defaults=True, by_alias=True)
    for name in _IN_A_LINE:
        content[name] = [_in_a_line(part) for part in content.get(name, [])]
    yaml = YAML()
    yaml.width = _WIDTH
    yaml.indent(mapping=2, sequence=4, offset=2)
    text = StringIO()
    yaml.dump(content, text)
    return text.getvalue()


def _in_a_line(part: dict[str, Any]) -> CommentedMap:
    line = CommentedMap(part)
    line.fa.set_flow_style()
    return line
