"""Case, charger, water, button and plug behind relay channels."""

import pytest

from instrument_bench import closing
from strapline_hil.instruments.contacts import Contacts
from strapline_hil.instruments.fakes.lcus import FakeLcus
from strapline_hil.instruments.lcus_relay import LcusRelay
from strapline_hil.instruments.mains import MainsRelay
from strapline_hil.verdict import RigError


@pytest.fixture
def fake():
    with FakeLcus(channels=8) as fake:
        yield fake


@pytest.fixture
def relays(fake):
    with closing(LcusRelay(fake.port, channels=8, timeout_s=1.0, settle_s=0.0)) as relays:
        yield relays


@pytest.mark.parametrize(("contact", "channel"), [("case_open", 4), ("charging", 5), ("immersed", 6), ("button", 7)])
def test_each_has_its_channel_and_ends_open(relays, fake, contact, channel):
    contacts = Contacts(relays)
    contacts.set(contact, True)
    assert [number for number, on in fake.contacts.items() if on] == [channel]
    assert contacts.check() == []
    contacts.close()
    assert not any(fake.contacts.values())


def test_a_contact_that_the_rig_has_not(relays):
    contacts = Contacts(relays, channels={"button": 7})
    assert contacts.names == {"button"}
    with pytest.raises(RigError, match=r"no contact immersed \(this rig has button\)"):
        contacts.set("immersed", True)


def test_a_channel_that_the_board_has_not_is_found(relays):
    assert Contacts(relays, channels={"button": 9}).check() == ["contacts: no relay channel 9 for button"]
    assert MainsRelay(relays, 9).check() == ["mains relay: no relay channel 9"]


@pytest.mark.parametrize("on_at_rest", [True, False])
def test_the_plug_has_power_again_at_the_end(relays, fake, on_at_rest):
    plug = MainsRelay(relays, 8, on_at_rest=on_at_rest)
    plug.off()
    assert fake.contacts[8] == on_at_rest
    assert plug.check() == []
    plug.on()
    plug.off()
    plug.close()
    assert fake.contacts[8] != on_at_rest
