"""`python -m strapline_simulator.chaos`, the same as `strapline chaos`."""

import typer

from strapline_simulator.chaos.command import chaos

if __name__ == "__main__":
    typer.run(chaos)
