"""The gateway's figures as `make bench` prints them: against bare paho, against TheengsGateway, and how long an alarm takes."""

from chain_speed import chain_figures, percentile


def row(value, unit, goal=None, holds=None, baseline=None):
    return {"value": value, "unit": unit, "goal": goal, "holds": holds, "baseline": baseline}


def chain_rows():
    """All of them, and what each is worth: rates are of this machine, with tags, broker and centre beside the gateway; quote ratios."""
    figures = chain_figures()
    whole, bare, loaded, theirs = (figures[name] for name in ("whole", "bare", "loaded", "theengs"))
    told = {"name": "bare paho QoS 1, the same payloads, messages/s", "value": round(bare["per_s"])}
    ratio = round(whole["per_s"] / bare["per_s"], 2)
    rows = {
        "gateway_frames_per_s": row(round(whole["per_s"]), "frames/s", baseline=told),
        "gateway_vs_bare_paho": row(ratio, "x", ">= 0.5", ratio >= 0.5, told),
        "gateway_cpu_per_frame_us": row(
            round(whole["gateway_cpu_us"]),
            "us",
            baseline={"name": "bare paho, us a message", "value": round(bare["cpu_us"])},
        ),
        # Below 1 the gateway has waited for the others.
        "gateway_core_busy": row(round(whole["gateway_busy"], 2), "x"),
    }
    return rows | theengs_row(whole, theirs) | alarm_rows(loaded)


def theengs_row(whole, theirs):
    if "error" in theirs:
        return {"gateway_vs_theengs": row(None, "x", "> 1", None, {"name": theirs["error"], "value": None})}
    ratio = round(whole["per_s"] / theirs["per_s"], 2)
    told = {"name": "TheengsGateway, decoded and published (QoS 0, not stored), /s", "value": round(theirs["per_s"])}
    cpu = {"name": "TheengsGateway, us an advertisement", "value": round(theirs["cpu_us"])}
    return {
        "gateway_vs_theengs": row(ratio, "x", "> 1", ratio > 1, told),
        "gateway_cpu_vs_theengs": row(round(theirs["cpu_us"] / whole["gateway_cpu_us"], 2), "x", baseline=cpu),
    }


def alarm_rows(loaded):
    """From the tag's frame on TCP to the ledger's commit at the centre, while history comes at half the highest rate."""
    half, high = (round(percentile(loaded["latencies_s"], share) * 1000, 1) for share in (0.5, 0.99))
    told = {"name": "history beside them, records/s", "value": round(loaded["history_per_s"])}
    return {
        "alarm_latency_p50_ms": row(half, "ms", baseline=told),
        "alarm_latency_p99_ms": row(high, "ms", "<= 50", high <= 50, told),
    }
