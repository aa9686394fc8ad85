"""The parts of one home's chain by name: their identities on the wire and at the broker."""

TAG = "7a900001"
HOME = "6a7e0001"
INGRESS = "6a7e00ce"
CENTRE = "centre"
