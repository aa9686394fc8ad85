# Bluetooth identifiers. The 16-bit one is a lab value until one is assigned to us; a deployment configures its own.
from strapline_wire.compat import const

SERVICE_DATA_UUID16 = const(0xFFE7)

# The GATT service is a byte stream each way (COBS frames), so that GATT, serial and TCP carry the same link.
SERVICE_UUID = "7b1f0001-5a2e-4c55-9d3c-57524150a1e5"
TO_TAG_UUID = "7b1f0002-5a2e-4c55-9d3c-57524150a1e5"  # write
FROM_TAG_UUID = "7b1f0003-5a2e-4c55-9d3c-57524150a1e5"  # notify
