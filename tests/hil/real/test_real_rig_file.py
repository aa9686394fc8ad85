import pytest

from strapline_hil.rig.file import load_rig
from strapline_hil.rig.real.hand import OfficersHand
from strapline_hil.rig.real.keys import desk_of
from strapline_hil.verdict import SurroundingsError
from strapline_protocol.errors import UserError
from strapline_protocol.keyring import successor
from strapline_protocol.keys import centre_keys, gateway_keys

RIG = "rig: desk\ntarget: {board: pico-w, port: none, keys: keys%s}\ngateway: {bluetooth: hci1}\n"


@pytest.fixture
def rig(tmp_path):
    def made(*tags, more=""):
        keys = tmp_path / "keys"
        keys.mkdir()
        for name, share in (("gateway-keys.json", gateway_keys), ("centre-keys.json", centre_keys)):
            with successor(keys / name, [share(tag, bytes(range(16))) for tag in tags]) as put:
                put()
        path = tmp_path / "desk.yaml"
        path.write_text(RIG % more)
        return load_rig(path)

    return made


def test_the_only_tag_in_the_key_files_is_the_rigs(rig):
    desk = desk_of(rig("7a900001"))
    assert (desk.tag, desk.centre_keys.tag, desk.adapter) == ("7a900001", "7a900001", "hci1")
    assert bytes(range(16)).hex() not in repr(desk)


def test_of_several_tags_one_is_named(rig):
    assert desk_of(rig("7a900001", "7a900002", more=', tag: "7a900002"')).tag == "7a900002"


def test_of_several_tags_none_is_guessed(rig):
    with pytest.raises(UserError, match="has the tags 7a900001, 7a900002; name the one on the rig as `tag`"):
        desk_of(rig("7a900001", "7a900002"))


def test_a_real_tag_without_keys_is_refused_with_its_line(tmp_path):
    path = tmp_path / "desk.yaml"
    path.write_text("rig: desk\ntarget:\n  board: pico-w\n  port: none\n")
    with pytest.raises(UserError, match=r"desk.yaml:4: .*`keys`"):
        load_rig(path)


def test_the_keys_content_lies_there_only_while_a_person_is_asked(tmp_path):
    file, seen = tmp_path / "electronic-key.bin", []
    OfficersHand(file, lambda text: seen.append((text, file.read_bytes()))).present_key(b"sealed")
    assert [content for _, content in seen] == [b"sealed"]
    assert str(file) in seen[0][0]
    assert not file.exists()
    with pytest.raises(SurroundingsError, match="run this in a folder of yours"):
        OfficersHand(tmp_path / "nowhere" / "key.bin", print).present_key(b"sealed")
