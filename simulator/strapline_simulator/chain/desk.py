"""What a chain is given whose tag is not simulated."""

from typing import NamedTuple

from strapline_protocol.keys import CentreKeys, GatewayKeys


class Desk(NamedTuple):
    """A provisioned tag within reach of this machine's own Bluetooth. Prints without the keys."""

    gateway_keys: GatewayKeys
    centre_keys: CentreKeys
    adapter: str = ""
    """Such as hci0; the system's first where none is named."""

    @property
    def tag(self) -> str:
        return self.gateway_keys.tag
