"""How long a battery lasts: what the firmware does in a simulated day, times what each part draws for it. Modelled, not measured."""
