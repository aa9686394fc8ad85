from strapline_boards.nrf52840 import Board
from strapline_boards.product import main

main(Board, True)
