"""All fuzz targets by name. A new module's targets are listed here and nowhere else."""

from fuzz import arq, decoders, line, messages, parts, sealed

TARGETS = {
    target.name: target for module in (decoders, line, arq, messages, sealed, parts) for target in module.TARGETS
}
