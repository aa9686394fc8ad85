"""What steps may say of somebody dishonest at the broker."""

from pydantic import Field

from strapline_simulator.scenario.strict import Strict

_SHARE = Field(default=0.0, ge=0, le=1)


class Meddling(Strict):
    """Shares of all messages between gateways and centre, in both directions."""

    alter: float = _SHARE
    drop: float = _SHARE
    replay: float = _SHARE
    reorder: float = _SHARE
    forge: float = _SHARE
