"""What a scenario may say of the centre's people, and of parts that end and start again."""

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

ClientName = Literal["home", "ingress", "centre"]
PartName = Literal[ClientName, "broker"]


def _words(text: str) -> str:
    if not text.strip():
        raise ValueError("an acknowledgement needs a note: write what was found")
    return text


class Acknowledgement(BaseModel):
    """Somebody has looked at the open alerts of one code, and says so."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    alert: str = Field(description="the alert's code")
    by: str = Field(default="primary", description="in which role")
    note: Annotated[str, AfterValidator(_words)] = Field(description="what was found")
