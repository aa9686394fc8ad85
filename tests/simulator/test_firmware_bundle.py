"""A program in one module with short names does what it did before; what cannot be shown to do so is refused with its line."""

import ast
import os
import subprocess
import sys
from textwrap import dedent

import pytest

from real_micropython import interpreter
from strapline_simulator.firmware import BENCH, BuildError, firmware_sources
from strapline_simulator.firmware.backtrace import explain
from strapline_simulator.firmware.bundle import make_bundle
from strapline_simulator.firmware.image import BENCH_MODULES, compile_bundle, write_bundle
from strapline_simulator.firmware.weight import LIMIT_BYTES, weigh

PROGRAMS = {
    "imports of ours, of modules and of names, at the top and in functions": {
        "toy.low": "LIMIT = 7\ndef scale(value):\n    return value * LIMIT\ndef other():\n    return 'other'\n",
        "toy.middle": """
            from toy import low
            from toy.low import scale as times
            again = times
            def up(value):
                return low.scale(value) + times(value)
            """,
        "toy.main": """
            from struct import pack as _pack
            from toy import low, middle
            from toy.middle import again, up
            def late():
                from toy import low as lower
                from toy.low import scale
                import json
                from struct import calcsize
                return lower.other(), scale(1), json.loads('{"a": 2}'), calcsize(">BL")
            print(up(3), middle.up(1), low.LIMIT, again(2), _pack(">H", 513), late())
            """,
    },
    "an import that may fail": {
        "toy.main": """
            try:
                from binascii import no_such_thing
            except ImportError:
                no_such_thing = None
            try:
                from binascii import hexlify as digits
            except ImportError:
                digits = None
            try:
                import no_such_module
            except ImportError:
                def stand_in():
                    return 5
            print(no_such_thing, digits(b"a"), stand_in())
            """,
    },
    "our attribute with the name of a foreign one": {
        "toy.main": """
            class Buffer:
                def __init__(self):
                    self.held = []
                    self.sort = 3
                def append(self, value):
                    self.held.append(value)
                def read(self):
                    return self.held
            def take(thing):
                thing.append(1)
                return thing
            print(take([]), take(bytearray()), take(Buffer()).read(), Buffer().sort)
            """,
    },
    "attributes asked for by a text": {
        "toy.main": """
            KNOBS = ("first_knob", "second_knob")
            SHOWN = ("shown_knob",)
            class Settings:
                first_limit = 1
                second_limit = 2
                def __init__(self, changes):
                    for name in changes:
                        if not hasattr(Settings, name):
                            raise ValueError(name)
                        setattr(self, name, changes[name])
            class Board:
                def __init__(self):
                    self.first_knob = self.second_knob = self.shown_knob = self.literal = 0
            settings = Settings({"second_limit": 9})
            board = Board()
            setattr(board, KNOBS[1], 4)
            setattr(board, SHOWN[0], 5)
            setattr(board, "literal", 6)
            print(settings.first_limit, settings.second_limit, board.first_knob, board.second_knob, board.shown_knob)
            print(SHOWN, board.literal, getattr(board, "missing", 8), hasattr(board, "first_knobs"))
            try:
                Settings({"a": 1})
            except ValueError as error:
                print("refused", error)
            """,
    },
    "keyword arguments, ours and foreign": {
        "toy.main": """
            class Cipher:
                def __init__(self, key, mic_size=8, *, direction=1):
                    self.told = (key, mic_size, direction)
                def seal(self, text, associated=b""):
                    return text, associated
            def call(wanted, times=2):
                return [wanted] * times
            def order(key, reverse=False):
                return key, reverse
            pairs = [(2, "b"), (1, "c")]
            pairs.sort(key=lambda pair: pair[1], reverse=True)
            print(Cipher(1, direction=3, mic_size=4).told, Cipher(2).seal("x", associated=b"y"), call(times=1, wanted="w"))
            print(pairs, order(reverse=1, key=2), sorted([1, 2], reverse=True), "{size}".format(size=3), dict(times=4))
            """,
    },
    "foreign names beside builtins and arguments of the same name": {
        "toy.low": """
            from io import open as open_text
            from struct import pack as bytes_of
            def order(pack, low=1):
                return bytes_of(">B", pack), low
            def kind():
                return open_text is not None
            """,
        "toy.main": """
            from struct import pack
            from toy.low import kind, order
            def use(pack=3):
                return order(pack=pack, low=2)
            def shown(size):
                print("shown", size)
                return size
            def with_default(size=shown(4)):
                return size
            print(kind(), open is not None, use(), use(pack=5), dict(pack=2), pack(">B", 7))
            """,
    },
    "closures, nonlocal and scopes inside scopes": {
        "toy.main": """
            def counter(start):
                count = start
                def step(by=1):
                    nonlocal count
                    count += by
                    return count
                def look():
                    return [count + i for i in range(start)]
                return step, look
            step, look = counter(2)
            step()
            step(5)
            value = 1
            def shadow(value):
                inner = [value for value in range(value)]
                return value, inner, {value: str(value) for value in inner}, (lambda value: value + 1)(value)
            print(step(), look(), shadow(3), value, [i for i in range(3) if [j for j in range(i)]])
            total = 0
            def add(amount):
                global total
                total += amount
                return total
            def begin():
                global begun
                begun = 6
            begin()
            print(begun, add(3), add(4), total, any((found := one) > 1 for one in (1, 2, 3)), found)
            """,
    },
    "class attributes, properties and inheritance": {
        "toy.main": """
            LIMIT = 4
            class Reader:
                limit = 9
                def __init__(self):
                    self._line = 1
                def first(self):
                    return 1, self._line
                def second(self, limit=LIMIT):
                    return 2, limit, self.limit
                table = {b"A": first, b"B": second}
                twice = limit * 2
                def read_by(self, kind):
                    return self.table[kind](self)
                @property
                def line(self):
                    return self._line
                @line.setter
                def line(self, value):
                    self._line = value * 10
                @staticmethod
                def plain(line):
                    return line
            class Parser(Reader):
                limit = 11
                def __init__(self):
                    super().__init__()
                    self._own = 5
                def first(self):
                    return super().first() + (self._own,)
            parser = Parser()
            parser.line = 3
            print(parser.read_by(b"A"), parser.first(), parser.read_by(b"B"), parser.line, Parser.twice, parser.plain(6))
            print(isinstance(parser, Reader), Reader.limit)
            """,
    },
    "a class body that reads a global beside its own names": {
        "toy.main": """
            def alpha():
                return "global alpha"
            class Box:
                made = alpha()
                def beta(self):
                    return self.made, alpha()
            class Other:
                made = [alpha() for i in range(2)]
                def alpha_too(self, alpha=alpha):
                    return alpha(), self.made
            print(Box().beta(), Other().alpha_too())
            """,
    },
    "f-strings, formats and records": {
        "toy.main": """
            from collections import namedtuple
            NAME = "text"
            Point = namedtuple("Point", ("east_m", "north_m"))
            Other = namedtuple("Other", ("north_m", "label"))
            def tell(point, width):
                return f"{point.east_m:>{width}} {NAME} {point.north_m!r} {width=} {'q'}"
            point = Point(1, north_m=2)
            print(tell(point, 4), "%s %d" % (NAME, point[1]), "{0} {1:02d}".format(NAME, 3), Other(3, "l").label, point == (1, 2))
            """,
    },
    "default arguments, star arguments, unpacking": {
        "toy.main": """
            BASE = 3
            def spread(first, *rest, last=BASE):
                return first, rest, last
            def pair(first=BASE, second=(1, 2)):
                (one, two), *others = (second, 5, 6)
                return first, one, two, others
            print(spread(1, 2, 3), spread(1, *[4, 5], last=6), pair(), pair(second="ab"))
            """,
    },
    "constants worked out, branches never taken, dead code": {
        "toy.main": """
            from micropython import const
            _A = const(3)
            _B = -_A * 2
            WIDE = 0xFFFFFFFF
            CUTS = True
            DEBUG = const(0)
            class Quiet:
                def __init__(self):
                    self.counted = 0
                    self.used = 1
                    self.noted = self.note()
                def note(self):
                    print("noted")
                    return 2
                def never(self):
                    return self.missing
                def count(self, flag):
                    if flag:
                        self.counted += 1
                    else:
                        self.used += 1
                    return self.used
            def unused():
                return nothing_at_all
            nothing_at_all = 4
            assert DEBUG == 0, print("asserted")
            if DEBUG:
                print("debug")
            else:
                print("plain")
            while DEBUG:
                print("endless")
            def bounds(n):
                if CUTS and not (0 <= n <= WIDE):
                    return "cut"
                return n ** _B if n == 0.5 else _B ** 2, (_B).to_bytes if n is None else (-_B) // 4, 7 if _A > 2 else 8
            quiet = Quiet()
            print(_B, bounds(4), bounds(-1), quiet.count(True), quiet.count(False), WIDE >> 16, not _A, _A or print("no"))
            """,
    },
    "a function that only passes its arguments on": {
        "strapline_wire.compat": """
            from struct import pack, unpack_from
            from collections import namedtuple
            def reader(form):
                return lambda data, at=0: unpack_from(form, data, at)
            def writer(form):
                return lambda *values: pack(form, *values)
            def record(name, fields):
                made = namedtuple(name, fields)
                return lambda values: made(*values)
            def swapped(form):
                return lambda at, data: unpack_from(form, data, at)
            """,
        "toy.main": """
            from collections import namedtuple
            from strapline_wire.compat import reader, record, swapped, writer
            read_two, put_two, Two = reader(">BB"), writer(">BB"), record("Two", ("low", "high"))
            read = reader(">BB")
            put = writer(">BB")
            Pair = namedtuple("Pair", ("low", "high"))
            backwards = swapped(">BB")
            Name = record("Name", ("low", "word"))
            handed_on = reader(">H")
            def use(how, data):
                return how(data)
            print(read(b"ab"), read(b"abc", 1), put(1, 2), Pair(*read(b"cd")).high, backwards(1, b"xyz"), use(handed_on, b"ab"))
            print(Name((1, "w")).word, Name(read(b"ef")).low)
            print(Two(read_two(put_two(5, 6))).low)
            """,
    },
    "sums that nobody reads": {
        "toy.main": """
            added = 0
            gone = 1
            class Meter:
                by_class = 0
                def __init__(self):
                    self.by_self = 0
                    self.plain = 0
                def add(self, amount):
                    global added
                    added += amount
                    self.by_class += amount
                    self.by_self += len([amount])
                    self.plain += 1
                    return "added"
            def forget():
                global gone
                del gone
            forget()
            print(Meter().add(2))
            """,
    },
    "exceptions of our own": {
        "toy.main": """
            class Refused(Exception):
                def __init__(self, reason, detail=""):
                    super().__init__(reason, detail)
                    self.reason = reason
            class Worse(Refused):
                pass
            def fail(kind):
                try:
                    raise kind("word") from None
                except Worse as error:
                    return "worse", error.args
                finally:
                    print("last")
            print(fail(Worse))
            try:
                fail(Refused)
            except Refused as error:
                print(error.reason, error.args)
            """,
    },
    "generators, with, del, while, try in loops": {
        "toy.main": """
            class Held:
                def __enter__(self):
                    print("in")
                    return self
                def __exit__(self, kind, value, trace):
                    print("out")
                    return kind is ValueError
                def __len__(self):
                    return 3
            def some(limit):
                at = 0
                while True:
                    if at == limit:
                        return
                    yield at
                    at += 1
            with Held() as held:
                print(len(held), list(some(3)))
                raise ValueError
            gone = {1: 2, 3: 4}
            del gone[1]
            print(gone, sum(i for i in some(4)))
            """,
    },
}


@pytest.fixture
def run(tmp_path):
    def run(argument, heap="192k"):
        command = [interpreter(), "-X", f"heapsize={heap}", *argument]
        done = subprocess.run(
            command,
            env={"MICROPYPATH": str(tmp_path)},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        return done.stdout, done.stderr

    return run


def texts_of(program):
    return {name: dedent(text) for name, text in program.items()}


def lay_out(folder, texts):
    for name, text in texts.items():
        path = folder / f"{name.replace('.', '/')}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


@pytest.mark.parametrize("title", PROGRAMS)
def test_a_bundle_says_what_its_sources_say(title, run, tmp_path):
    texts = texts_of(PROGRAMS[title])
    lay_out(tmp_path, texts)
    said, complaint = run(["-m", "toy.main"])
    assert said, complaint
    bundle = make_bundle(texts, "toy.main")
    write_bundle(tmp_path, bundle, compile_bundle(bundle))
    assert run(["-m", "main"]) == (said, ""), bundle.text()


def bundled(main, **others):
    texts = {"toy.main": dedent(main)} | {f"toy.{name}": dedent(text) for name, text in others.items()}
    return make_bundle(texts, "toy.main").text()


REFUSED = {
    "star": ("\nfrom toy.low import *\n", "toy/main.py:2: a star import does not say what it binds"),
    "foreign star": ("from struct import *\n", "toy/main.py:1: a star import does not say what it binds"),
    "computed": ("def f(x, n):\n    return getattr(x, n)\n", "toy/main.py:2: a computed attribute name: take it from a table"),
    "handed on": ("print(list(map(getattr, [], [])))\n", "toy/main.py:1: getattr is handed on"),
    "globals": ("print(globals())\n", "toy/main.py:1: globals shows names"),
    "name": ("if __name__ == '__main__':\n    print(1)\n", "toy/main.py:1: __name__ shows names"),
    "class name": ("print(type(1).__name__)\n", "toy/main.py:1: __name__ shows names"),
    "module itself": ("from toy import low\nprint(low)\n", "toy/main.py:2: the module toy.low itself is used"),
    "module assigned": ("from toy import low\nlow.LIMIT = 2\n", "toy/main.py:2: LIMIT of the module toy.low is assigned"),
    "no such name": ("from toy.low import missing\n", "toy/main.py:1: toy.low has no missing"),
    "unbound": ("\n\nprint(missing)\n", "toy/main.py:3: nothing binds the name missing"),
    "rebound import": ("from toy.low import LIMIT\nLIMIT = 4\n", "toy/main.py:1: LIMIT is imported from ours, and bound otherwise"),
    "global import": ("from toy.low import LIMIT\ndef f():\n    global LIMIT\n    LIMIT = 1\nf()\n", "LIMIT is imported"),
    "double star in": ("def f(**more):\n    return more\n", "toy/main.py:1: a dictionary of keyword arguments"),
    "double star out": ("print(dict(**{'a': 1}))\n", "toy/main.py:1: a dictionary of keyword arguments"),
    "attribute error": ("try:\n    print()\nexcept (OSError, AttributeError):\n    pass\n", "toy/main.py:3: a caught AttributeError"),
    "magic": ("class A:\n    def __getattr__(self, name):\n        return 1\n", "toy/main.py:1: __getattr__: a class that answers"),
    "mangled": ("class A:\n    def f(self):\n        return self.__x\n", "toy/main.py:3: CPython gives such a name"),
    "nested class": ("def f():\n    class A:\n        pass\n", "toy/main.py:2: a class inside a function"),
    "relative": ("from . import low\n", "toy/main.py:1: name the module from its package on"),
    "match": ("match 1:\n    case 1:\n        pass\n", "toy/main.py:1: MicroPython has no match"),
    "format": ("print('{0.imag}'.format(1))\n", "toy/main.py:1: a format that may name attributes"),
    "late import": ("print(1)\nfrom toy import low\n", "toy/main.py:1: this runs before an import of ours"),
    "depending import": ("if print:\n    from toy import low\n", "toy/main.py:2: an import of ours that depends on something"),
    "ambiguous": ("size = 1\nclass A:\n    size = size\n", "toy/main.py:3: in this class size can mean"),
    "record": ("from collections import namedtuple\nF = 'a b'\nP = namedtuple('P', F)\nprint(P)\n", "toy/main.py:3: a record's fields"),
    "syntax": ("def f(:\n", "toy/main.py:1: "),
}  # fmt: skip


@pytest.mark.parametrize("title", REFUSED)
def test_what_cannot_be_shown_to_stay_the_same_is_refused_with_its_line(title):
    text, told = REFUSED[title]
    with pytest.raises(BuildError) as refusal:
        bundled(text, low="LIMIT = 1\n")
    assert told in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_a_circle_of_imports_is_told_whole():
    texts = {"toy.main": "from toy import one\nprint(one.x)\n"}
    texts |= {"toy.one": "def f():\n    from toy import two\n", "toy.two": "from toy import one\n"}
    with pytest.raises(BuildError, match=r"circle .*: toy\.one imports toy\.two imports toy\.one$"):
        make_bundle(texts, "toy.main")


BOOT = """
    from toy.low import Counter
    __all__ = ("start", "Counter")
    def start(first_argument):
        return Counter(first_argument)
    def never():
        return 1
    """
COUNTER = """
    class Counter:
        def __init__(self, start):
            self.lost = 0
            self.reached = start
            self._private = start
        def confirm_all(self):
            return self._private
    """


def test_what_all_lists_keeps_its_name_and_its_public_attributes():
    text = bundled(BOOT, low=COUNTER)
    names = {node.name for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    assert names == {"start", "Counter", "__init__", "confirm_all"}
    assert "reached" in text
    assert "_private" not in text
    assert "first_argument" not in text


def test_a_program_uses_what_another_one_offers_by_its_name():
    # The object comes in from the other program: a class here with the same method must not take the name away.
    main = """
        class Own:
            def confirm_all(self):
                return 1
        def main(counter):
            return counter.confirm_all(), Own().confirm_all()
        print(main)
        """
    texts = texts_of({"toy.main": main, "toy.boot": BOOT, "toy.low": COUNTER})
    assert make_bundle(texts, "toy.main").text().count("confirm_all") == 3


def test_what_nobody_reads_is_left_out_unless_it_may_keep_something_alive():
    text = bundled(
        """
        class Tag:
            def __init__(self, timer):
                self.counted = 0
                self.timer = timer
                self.file = open("x")
            def count(self, flag):
                if flag:
                    self.counted += 1
                return flag
        print(Tag(1).count(True))
        """
    )
    stored = [
        node
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store)
    ]
    assert len(stored) == 2
    assert "if" not in text


def test_a_name_that_all_lists_must_exist():
    with pytest.raises(BuildError, match="lists missing in __all__"):
        bundled('__all__ = ("missing",)\n')


def test_a_program_of_which_nothing_would_be_left_is_refused():
    with pytest.raises(BuildError, match="does nothing and lists nothing"):
        bundled("def main():\n    print(1)\n")


def test_attributes_of_classes_that_share_no_object_share_a_name():
    text = bundled(
        """
        class One:
            def __init__(self):
                self.first_thing = 1
            def tell(self):
                return self.first_thing
        class Two:
            def __init__(self):
                self.second_thing = 2
            def tell(self):
                return self.second_thing
        print(One().tell(), Two().tell())
        """
    )
    stored = [
        node.attr
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store)
    ]
    assert len(stored) == 2
    assert len(set(stored)) == 1


# The firmware itself.


@pytest.fixture(scope="module")
def firmware():
    return make_bundle(firmware_sources(), BENCH)


def test_no_name_of_ours_is_left_in_the_firmware(firmware):
    text = firmware.text()
    for name in ("alarm_pending", "_journal", "open_envelope", "RemoteProtocolError", "uptime_s", "strapline_tag"):
        assert name not in text
    assert "heartbeat_shortest_ms" in text  # a scenario sets it by its name
    assert firmware.text(without=BENCH_MODULES) != text


def test_the_map_gives_each_short_name_back(firmware):
    names = firmware.map()
    assert names["module"] == "strapline_app"
    assert "strapline_tag.tag.Tag" in names["globals"].values()
    assert any("receipt_far" in owners for owners in names["attributes"].values())
    places = [place for _, _, place, _ in names["functions"]]
    assert any(place.startswith("strapline_tag/tag.py:") and place.endswith(" Tag.handle_timer") for place in places)


def test_the_same_sources_give_the_same_bytes_whatever_the_order_of_sets(firmware):
    script = (
        "import sys; from strapline_simulator.firmware import BENCH, firmware_sources\n"
        "from strapline_simulator.firmware.bundle import make_bundle\n"
        "sys.stdout.write(make_bundle(firmware_sources(), BENCH).text())"
    )
    for seed in ("1", "2"):
        done = subprocess.run(
            [sys.executable, "-c", script],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        assert done.stdout == firmware.text()


def test_the_tag_keeps_its_limit_and_every_source_is_accounted_for(firmware):
    weight = weigh(firmware)
    assert weight.tag <= LIMIT_BYTES
    assert sum(weight.modules.values()) + weight.shared == weight.tag + weight.board
    assert not BENCH_MODULES & set(weight.modules)
    assert weight.compressed < weight.tag


def test_a_traceback_from_the_board_comes_back_in_our_names(run, tmp_path):
    texts = texts_of({
        "toy.main": """
            from toy.parts import Battery, Skin
            class Tag:
                def __init__(self):
                    self.battery = Battery()
                    self.skin = Skin()
                def feed(self, percent):
                    self.skin.alike(percent)
                    return self.battery.sample(percent)
            print(Tag().feed(3))
            """,
        "toy.parts": """
            class Battery:
                def __init__(self):
                    self.level = 1
                def sample(self, percent):
                    return self.level // (percent - 3)
            class Skin:
                def __init__(self):
                    self.warm = 1
                def alike(self, percent):
                    return self.warm + percent
            """,
    })  # fmt: skip
    bundle = make_bundle(texts, "toy.main")
    write_bundle(tmp_path, bundle, compile_bundle(bundle))
    _, complaint = run(["-m", "main"])
    told = explain(complaint, bundle.map())
    assert "    in toy/main.py:7 Tag.feed\n    in toy/parts.py:5 Battery.sample\nZeroDivisionError" in told
    assert "<module>" in told


def test_a_program_begins_when_it_is_called_so_that_its_loading_is_over(run, tmp_path):
    bundle = make_bundle({"toy.main": "def main(what):\n    print(what)\nmain('begun')\n"}, "toy.main")
    write_bundle(tmp_path, bundle, compile_bundle(bundle))
    script = "import strapline_app\nprint('loaded')\nstrapline_app.run()"
    assert run(["-c", script]) == ("loaded\nbegun\n", "")


def test_what_others_only_call_gets_no_main_py(tmp_path):
    bundle = make_bundle(texts_of({"toy.boot": BOOT, "toy.low": COUNTER}), "toy.boot", "strapline_boot")
    write_bundle(tmp_path, bundle, compile_bundle(bundle))
    assert [path.name for path in tmp_path.iterdir()] == ["strapline_boot.mpy"]
