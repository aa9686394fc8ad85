"""What steps may say of somebody dishonest at the broker."""

from pydantic import BaseModel, ConfigDict, Field

_SHARE = Field(default=0.0, ge=0, le=1)


class Meddling(BaseModel):
    """Shares of all messages between gateways and centre, in both directions."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    alter: float = _SHARE
    drop: float = _SHARE
    replay: float = _SHARE
    reorder: float = _SHARE
    forge: float = _SHARE
