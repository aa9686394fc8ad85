# Times at which something is due, in ms; None is never. Nothing here allocates: a body asks after every sample.


def sooner(one: "int | None", other: "int | None") -> "int | None":
    if one is None:
        return other
    return one if other is None or one < other else other
