"""The protocol on the host: the one definition, what is generated from it, the MQTT contract."""
