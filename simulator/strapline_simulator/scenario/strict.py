"""The manner of all parts of a scenario file."""

from pydantic import BaseModel, ConfigDict


class Strict(BaseModel):
    """Unknown words are mistakes, and nothing changes once it is read."""

    model_config = ConfigDict(extra="forbid", frozen=True)
