"""The whole chain of one home: tag, air, base station, cellular ingress, broker, centre. The parts are the real ones."""

from strapline_simulator.chain.assembly import Chain
from strapline_simulator.chain.desk import Desk
from strapline_simulator.chain.parts import CENTRE, HOME, INGRESS, TAG

__all__ = ["CENTRE", "HOME", "INGRESS", "TAG", "Chain", "Desk"]
