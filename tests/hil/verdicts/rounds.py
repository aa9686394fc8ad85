"""A test of a user's: everything that the rig has, round after round. Copied to where it runs as `test_rounds.py`."""

ROUNDS = 3
SENTENCE = b"$GNTXT,01,01,02,STRAPLINE*67\r\n"


def test_rounds(rig, gateway):
    for _ in range(ROUNDS):
        rig.gnss.send(SENTENCE)
        rig.heat.set(3300, 2300)
        rig.supply.set_mv(3950)
        rig.strap.cut()
        assert gateway.wait_for("strap_open", within_s=5)
        rig.sleep(60)
        rig.strap.mend()
        assert gateway.wait_for("strap_closed", within_s=15)
        rig.contacts.set("charging", on=True)
        assert gateway.wait_for("charging", within_s=60)
        rig.contacts.set("charging", on=False)
        assert gateway.wait_for("unplugged", within_s=60)
        rig.supply.set_mv(3900)
        rig.heat.set(3300, 2200)
        rig.sleep(600)  # the tag tells of its charger again
