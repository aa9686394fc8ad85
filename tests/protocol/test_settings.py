"""Configuration files: every mistake with its line, the template and the reference from one declaration."""

from pathlib import Path
from typing import Annotated, Literal, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strapline_protocol.errors import UserError
from strapline_protocol.settings import Key, Mistake, SettingsError, load
from strapline_protocol.settings_text import reference, template
from strapline_protocol.toml_lines import TomlLines


def even(number):
    if number % 2:
        raise UserError("odd; write an even one")


class Door(NamedTuple):
    width_cm: Annotated[int, Key("How wide.", unit="cm", low=60, high=200)]
    note: Annotated[str, Key("Anything.")] = ""


class House(NamedTuple):
    name: Annotated[str, Key("Its name.", example='"home"')]
    floors: Annotated[int, Key("How many.", check=even)] = 2
    kind: Annotated[Literal["stone", "wood"], Key("Of what.")] = "stone"
    height_m: Annotated[float | None, Key("How high.", unit="m", low=2, example="8.5")] = None
    plan: Annotated[Path | None, Key("Where it is drawn.", example='"plan.pdf"')] = None
    lived_in: Annotated[bool, Key("Now.")] = True
    rooms: Annotated[tuple[str, ...], Key("By name.")] = ("kitchen",)


class Town(NamedTuple):
    format: Annotated[int, Key("Version of the format.", low=1, high=1, example="1")]
    house: Annotated[House, Key("The house.")]
    door: Annotated[tuple[Door, ...], Key("Its doors.")] = ()


UPGRADES = {0: lambda data: {**data, "format": 1}}


def read(tmp_path, text, **more):
    path = tmp_path / "town.toml"
    path.write_text(text)
    return load(path, Town, upgrades=UPGRADES, **more)


def mistakes(tmp_path, text, **more):
    with pytest.raises(SettingsError) as told:
        read(tmp_path, text, **more)
    return [line.removeprefix(f"{tmp_path}/") for line in told.value.lines]


def test_what_is_not_there_has_its_default(tmp_path):
    town = read(tmp_path, 'format = 1\n[house]\nname = "mill"\nplan = "a/plan.pdf"\n[[door]]\nwidth_cm = 90\n')
    assert town == Town(1, House("mill", plan=tmp_path / "a/plan.pdf"), (Door(90),))


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("nam = 'x'", "house.nam: unknown key; did you mean name?"),
        ("zzz = 1", "house.zzz: unknown key; known here: name, floors, kind, height_m, plan, lived_in, rooms"),
        ("floors = '2'", 'house.floors: "2" is no whole number; write a whole number'),
        ("floors = true", "house.floors: true is no whole number; write a whole number"),
        ("floors = 3", "house.floors: odd; write an even one"),
        ("height_m = 1", "house.height_m: 1 is out of range; write a number of at least 2 m"),
        ("height_m = nan", "house.height_m: nan is no number; write a number of at least 2 m"),
        ("kind = 'stoen'", 'house.kind: "stoen" is no choice here; did you mean "stone"?'),
        ("kind = 1", 'house.kind: 1 is no choice here; write one of "stone", "wood"'),
        ("lived_in = 'yes'", 'house.lived_in: "yes" is no true or false; write true or false without quotes'),
        ("rooms = 'kitchen'", 'house.rooms: "kitchen" is no list; write ["…", "…"]'),
        ("rooms = ['a', 2]", "house.rooms[1]: 2 is no text; write it in quotes"),
        ("plan = ''", 'house.plan: "" is no path; write it in quotes, such as "plan.pdf"'),
        ("[doors]", "doors: unknown key or section; did you mean door?"),
        ("[[door]]\nwidth_cm = 90\n[[door]]\nwidth_cm = 9", "door[1].width_cm: 9 is out of range; write a whole number from 60 to 200 cm"),
    ],
)  # fmt: skip
def test_each_mistake_is_told_with_its_line_and_its_mend(tmp_path, line, told):
    text = f"format = 1\n\n# the house\n[house]\nname = '''a\nmill'''\n{line}\n"
    number = 7 + line.count("\n")
    assert mistakes(tmp_path, text) == [f"town.toml:{number}: {told}"]


def test_all_mistakes_are_told_at_once_in_the_files_order(tmp_path):
    told = mistakes(tmp_path, "format = 1\n[house]\nfloors = 'x'\nnam = 'x'\n")
    assert [line.split(" ")[0:2] for line in told] == [
        ["town.toml:2:", "house.name:"],
        ["town.toml:3:", "house.floors:"],
        ["town.toml:4:", "house.nam:"],
    ]


@pytest.mark.parametrize(("text", "line"), [("a = \n", 1), ("[house]\nname = 'x'\nname = 'y'\n", 3), ("[house\n", 1)])
def test_what_is_no_toml_is_told_with_its_line(tmp_path, text, line):
    (told,) = mistakes(tmp_path, text)
    assert told.startswith(f"town.toml:{line}: no TOML: ")


def test_a_file_that_cannot_be_read_is_one_line(tmp_path):
    with pytest.raises(UserError, match=r"nowhere.toml: cannot be read \(No such file or directory\); print one$"):
        load(tmp_path / "nowhere.toml", Town, hint="print one")
    (tmp_path / "latin.toml").write_bytes(b"a = 1\nb = '\xe9'\n")
    with pytest.raises(UserError, match=r"latin.toml:2: no text in UTF-8"):
        load(tmp_path / "latin.toml", Town)


def test_a_file_of_before_the_format_had_a_number_is_read(tmp_path):
    assert read(tmp_path, "[house]\nname = 'mill'\n").format == 1
    (told,) = mistakes(tmp_path, "format = 2\n[house]\nname = 'mill'\n")
    assert told == "town.toml:1: format: 2 is not known here; this version of strapline reads 0 to 1"


def test_the_environment_goes_before_the_file_and_is_named_in_mistakes(tmp_path):
    text = "format = 1\n[house]\nname = 'mill'\n"
    variables = {"TOWN_HOUSE_FLOORS": "4", "TOWN_HOUSE_NAME": "hall", "TOWN_HOUSE_ROOMS": '["a", "b"]'}
    town = read(tmp_path, text, environment=variables, prefix="TOWN")
    assert (town.house.floors, town.house.name, town.house.rooms) == (4, "hall", ("a", "b"))
    told = mistakes(tmp_path, text, environment={"TOWN_HOUSE_FLOORS": "many"}, prefix="TOWN")
    assert told == ['environment TOWN_HOUSE_FLOORS: "many" is no whole number; write a whole number']


def test_what_two_keys_tell_together_is_told_with_a_line_too(tmp_path):
    def more(town):
        if town.house.floors > 2 and town.house.kind == "wood":
            yield Mistake(("house", "kind"), "too high for wood; write stone")

    text = "format = 1\n[house]\nname = 'x'\nfloors = 4\nkind = 'wood'\n"
    assert mistakes(tmp_path, text, more=more) == ["town.toml:5: house.kind: too high for wood; write stone"]


def test_the_template_is_the_defaults_and_says_what_must_be_filled_in(tmp_path):
    text = template(Town, "A town.")
    assert read(tmp_path, text) == Town(1, House("home"))
    uncommented = "\n".join(line.removeprefix("#") if line[:2] != "# " else line for line in text.splitlines())
    full = uncommented.replace('width_cm = ""', "width_cm = 80")
    assert read(tmp_path, full).house == House("home", height_m=8.5, plan=tmp_path / "plan.pdf")


def test_the_reference_names_every_key(tmp_path):
    text = reference(Town)
    assert "| `width_cm` | How wide. | whole number from 60 to 200 cm | *must be given* |" in text
    assert '| `rooms` | By name. | list of texts | `["kitchen"]` |' in text


KEYS = st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=8, unique=True)


@given(KEYS, st.lists(st.sampled_from(["1", "'x'", "[\n 1,\n 2]", "'''\n[t]\na = 1\n'''"]), min_size=8, max_size=8))
def test_a_key_is_found_on_its_line_whatever_stands_around_it(keys, values):
    lines, where = ["# a comment", "[t]"], {}
    for key, value in zip(keys, values, strict=False):
        where[key] = len(lines) + 1
        lines += f"{key} = {value}\n# behind it\n".splitlines()
    found = TomlLines("\n".join(lines))
    assert {key: found.line(("t", key)) for key in keys} == where
    assert found.line(("t", "nowhere")) == 2
