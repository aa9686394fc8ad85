from strapline_boards.pico_w import Board
from strapline_boards.product import main

main(Board, True)
