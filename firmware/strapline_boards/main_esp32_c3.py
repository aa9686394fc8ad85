from strapline_boards.esp32_c3 import Board
from strapline_boards.product import main

main(Board, True)
