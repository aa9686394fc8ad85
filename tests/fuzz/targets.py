"""All fuzz targets by name. A new module's targets are listed here and nowhere else."""

from fuzz import arq, decoders, line, messages, parts, sealed, stations, tags

MODULES = (decoders, line, arq, messages, sealed, stations, tags, parts)

TARGETS = {target.name: target for module in MODULES for target in module.TARGETS}
