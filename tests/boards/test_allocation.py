"""Reading the strap and the accelerometer takes nothing from a board's heap: seen on real MicroPython, whose heap is locked meanwhile."""

from real_micropython import run_on_micropython

_SCRIPT = """
import array, micropython
from strapline_boards.lis3dh import Accelerometer
from strapline_boards.pico_w import Board
from strapline_boards.sensors import Sensors

class Pin:
    IN = OUT = PULL_UP = 0
    def __init__(self, *_):
        pass
    def __call__(self):
        return 1

class I2C:
    def readfrom_mem_into(self, address, register, buffer):
        buffer[0] = 0x33 if register == 0x0F else 25 if register == 0x2F else 0
    def readfrom_mem(self, address, register, size):
        return bytes(size)
    def writeto_mem(self, address, register, data):
        pass

class machine:
    Pin = Pin
    class ADC:
        def __init__(self, pin):
            pass
        def read_u16(self):
            return 5958

class Part:
    failed = True
    fault = 64
    jam = 0
    cell_dbm = -80

class Config:
    skin_sample_ms = 10000

samples = array.array("h", bytes(192))
sensors = Sensors(Board, machine, I2C(), (Part(), Part(), Part()), Config)
sensors.sample(1000)
sensors.read_motion(samples)
micropython.heap_lock()
try:
    sensors.sample(2000)
    count = sensors.read_motion(samples)
finally:
    micropython.heap_unlock()
print(sensors.strap_ohm, count, sensors.faults, sensors.case_open)
"""


def test_a_sample_takes_nothing_from_the_heap():
    assert run_on_micropython(_SCRIPT) == ["1000 25 64 1"]
