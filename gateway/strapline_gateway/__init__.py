"""The home base station: station, links, outbox, relay."""
