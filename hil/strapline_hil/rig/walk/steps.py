"""A rig to be walked through: where its parts are, and a session with its tag."""

from collections.abc import Iterator
from contextlib import ExitStack

from strapline_hil.instruments.by_hand import ask_at_terminal
from strapline_hil.rig.file import RigFile
from strapline_hil.rig.real.dut import on_a_desk, open_real
from strapline_hil.rig.real.session import RealSession
from strapline_hil.rig.session import RigSession
from strapline_hil.rig.virtual.rig import VirtualParts, open_virtual
from strapline_hil.rig.virtual.session import VirtualSession
from strapline_hil.rig.walk.parts import walk_parts
from strapline_hil.rig.walk.step import Step
from strapline_hil.rig.walk.tag import TagWalk
from strapline_hil.verdict import BenchError
from strapline_simulator.board.body import VirtualBoard


def part_steps(file: RigFile, stack: ExitStack) -> Iterator[Step]:
    """Its parts one by one, until `stack` is closed."""
    if not file.is_virtual:
        return walk_parts(file, on_a_desk(file, ask_at_terminal))
    board = VirtualBoard()
    stack.callback(board.close)
    return walk_parts(file, VirtualParts(file, board, stack).surroundings())


def tag_steps(file: RigFile) -> Iterator[Step]:
    """What the tag says to them."""
    what = "starts, is worn and armed with the electronic key"
    with ExitStack() as stack:
        try:
            session: RigSession
            session = VirtualSession(open_virtual(file)) if file.is_virtual else RealSession(open_real(file))
            stack.enter_context(session)
        except (BenchError, AssertionError) as error:
            yield Step("tag", what, (str(error),))
            return
        yield Step("tag", what)
        yield from TagWalk(file, session).steps()
