"""What a scenario may say of the centre's people, and of parts that end and start again."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from strapline_centre.alerts import CODES
from strapline_centre.escalation import STEPS
from strapline_simulator.scenario.strict import Strict

ClientName = Literal["home", "ingress", "centre"]
PartName = Literal[ClientName, "broker"]


def _alert(code: str) -> str:
    if code not in CODES:
        raise ValueError(f"{code!r} is no alert of the centre: choose one of {', '.join(sorted(CODES))}")
    return code


def _role(name: str) -> str:
    roles = [step.role for step in STEPS]
    if name not in roles:
        raise ValueError(f"{name!r} is no role: choose one of {', '.join(roles)}")
    return name


def _alert_or_any(code: str) -> str:
    return code if code == "any" else _alert(code)


AlertOrAny = Annotated[str, AfterValidator(_alert_or_any)]
AlertCode = Annotated[str, AfterValidator(_alert)]
Role = Annotated[str, AfterValidator(_role)]


def _words(text: str) -> str:
    if not text.strip():
        raise ValueError("an acknowledgement needs a note: write what was found")
    return text


class Acknowledgement(Strict):
    """Somebody has looked at the open alerts of one code, and says so."""

    alert: AlertCode = Field(description="the alert's code")
    by: Role = Field(default="primary", description="in which role")
    note: Annotated[str, AfterValidator(_words)] = Field(description="what was found")
