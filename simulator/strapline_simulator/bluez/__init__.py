"""A stand-in for BlueZ on a private D-Bus: any program that speaks to `org.bluez` meets the simulated air, in real time."""
