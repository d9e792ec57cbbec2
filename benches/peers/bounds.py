"""The aims, and whether they were reached: the missed ones stand beside the others."""

PLAIN = ("plain", "plain-single")


def judged(found):
    """Rows of a table: the aim, its bound, what was measured, whether it holds."""
    rows = []

    def aim(words, bound, value, own_is_more, shown="{:.2f}"):
        if value is None:
            return
        holds = value >= bound if own_is_more else value <= bound
        sign = "≥" if own_is_more else "≤"
        rows.append([words, f"{sign} {bound:g}", shown.format(value), "holds" if holds else "**falls short**"])

    def over(key, figure, others, best=max):
        own, other = found.median(key, "stoa", figure), found.better(key, others, figure, best)
        return own / other if own and other else None

    speed = "deliveries_per_second"
    aim("1,000 observers, as fast as it goes: times plain socketioxide, its better runtime", 2.5, over("pipelined-1000", speed, PLAIN), True)
    aim("the same, of the coalescing bound", 0.7, over("pipelined-1000", speed, ["raw-coalescing"]), True)
    aim("100 observers, as fast as it goes: times plain socketioxide", 1.2, over("pipelined-100", speed, PLAIN), True)
    aim("lockstep: of the bound with a call for each", 0.85, over("lockstep-1000", speed, ["raw"]), True)
    aim("20 updates/s: processor time of a delivery, times the bound's", 1.3, over("rate-20", "cpu_us", ["raw"]), False)
    aim("20 updates/s: p50, times the bound's", 1.5, over("rate-20", "p50", ["raw"]), False)
    aim("20 updates/s: p99, times the bound's", 1.5, over("rate-20", "p99", ["raw"]), False)
    lean, full = (found.median("rate-20", key, "bytes") for key in ("stoa-lean", "stoa"))
    aim("bytes of a lean update, of the full one", 0.45, lean / full if lean and full else None, False)
    memory = found.median("idle-2000", "stoa", "bytes_per_connection")
    aim("memory of an idle connection at 2,000, KiB", 12, memory / 1024 if memory else None, False, "{:.1f}")
    aim("connects/s, times plain socketioxide's", 0.8, over("idle-2000", "connects_per_second", PLAIN), True)
    stoa = [line for line in found.all["found"] if line["peer"].startswith("stoa")]
    wrong = sum(line.get(figure) or 0 for line in stoa for figure in ("lost", "doubled", "out_of_order"))
    aim("Stoa's updates that were lost, doubled or out of order", 0, wrong, False, "{}")
    return rows
