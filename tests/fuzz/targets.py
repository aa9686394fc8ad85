"""All fuzz targets by name. A new module's targets are listed here and nowhere else."""

from fuzz import decoders, line, messages, sealed

TARGETS = {target.name: target for module in (decoders, line, messages, sealed) for target in module.TARGETS}
