"""Tables of what was measured, plain or in Markdown."""

from collections.abc import Iterable
from pathlib import Path

from lagbias.runtime.markdown import markdown_table

__all__ = ["inserted", "tables"]

#: Between these lines of a document stand the tables.
_BEGIN, _END = "<!-- measured: begin -->", "<!-- measured: end -->"

_COMPARED = ("what", "how", "time", "rate", "lagbias is faster by", "share of the machine's limit")
_RULES = (
    "rule",
    "jobs",
    "median s",
    "total s",
    "share",
    "peak RSS",
    "start-up s",
    "start-up share",
)


def tables(results: dict, *, as_markdown: bool = False, document: Path | None = None) -> str:
    """Write all results as tables.

    Parameters
    ----------
    results : dict
        As in the JSON file.
    as_markdown : bool, keyword-only
        Write Markdown; plain text for a terminal otherwise.
    document : Path, keyword-only, optional
        Markdown file to put the tables into, besides.

    Raises
    ------
    ValueError
        If the document has no place for tables, see `inserted`.
    """
    in_markdown = _document(results, markdown_table, "### ")
    if document:
        text = inserted(document.read_text(encoding="utf-8"), in_markdown)
        document.write_text(text, encoding="utf-8")
    return in_markdown if as_markdown else _document(results, _plain_table, "")


def inserted(document: str, new: str) -> str:
    """Return a document with other tables.

    Parameters
    ----------
    document : str
        Markdown with the two comments between which tables stand.
    new : str
        Tables in Markdown.

    Raises
    ------
    ValueError
        If the comments are missing or in the wrong order.
    """
    before, begin, rest = document.partition(_BEGIN)
    _, end, after = rest.partition(_END)
    if not (begin and end):
        raise ValueError(
            f"The document has no place for tables: put the lines {_BEGIN} and {_END} in it, in "
            f"this order."
        )
    return f"{before}{_BEGIN}\n\n{new}\n{_END}{after}"


def _document(results: dict, table, heading: str) -> str:
    parts = [_machine(results["machine"]), *_stages(results, table, heading)]
    if other := results.get("narrower"):
        name, sgemm = other["machine"]["instructions"], other["machine"]["limits"]["sgemm"] / 1e9
        parts += [f"The same processor held to {name}, where sgemm reaches {sgemm:.3g} Gflop/s:"]
        parts += _stages(other, table, heading, suffix=f" with {name} only")
    if run := results.get("whole_run"):
        parts += [f"{heading}whole run: {run['run']}", table(_RULES, map(_rule, run["rules"]))]
        parts += [_totals(run)]
    if series := results.get("scaling"):
        rows = [row for one in series for row in _scaled(one)]
        parts += [f"{heading}scaling", table(("cost", "with", "n", "time", "slope"), rows)]
    return "\n\n".join(parts) + "\n"


def _stages(results: dict, table, heading: str, suffix: str = "") -> list[str]:
    stages: dict[str, list[dict]] = {}
    for comparison in results["comparisons"]:
        stages.setdefault(comparison["stage"], []).append(comparison)
    parts = []
    for stage, comparisons in stages.items():
        rows = [row for comparison in comparisons for row in _compared(comparison)]
        parts += [f"{heading}{stage}{suffix}", table(_COMPARED, rows)]
    return parts


def _machine(machine: dict) -> str:
    versions = ", ".join(f"{name} {number}" for name, number in machine["versions"].items())
    threads = machine["threads"]["suite"]
    text = (
        f"{machine['cpu']}, kernels for {machine['instructions']}, "
        f"{machine['usable_cores']} of {machine['cores']} cores, "
        f"{machine['memory_gb']:g} GB; {threads} thread{'s' * (threads > 1)} each. "
        f"Python {machine['python']}, {versions}."
    )
    if limits := machine.get("limits"):
        copy, triad, sgemm = (limits[name] / 1e9 for name in ("copy", "triad", "sgemm"))
        text += (
            f" In the same runs: copy {copy:.3g} GB/s, triad {triad:.3g} GB/s, "
            f"sgemm {sgemm:.3g} Gflop/s."
        )
    return text


def _compared(comparison: dict) -> Iterable[tuple[str, ...]]:
    limit = comparison["limit"]
    for number, entry in enumerate(comparison["contenders"]):
        first = number == 0
        yield (
            comparison["title"] if first else "",
            entry["name"],
            _seconds(entry["median_s"] * comparison["contenders"][0]["work"] / entry["work"]),
            f"{_scaled_number(entry['rate'])} {comparison['unit']}/s",
            "" if first else f"{entry['speed_up']:.2g}×",
            f"{_two_digits(100 * limit['share_reached'])} % ({limit['by']})" if first else "",
        )


def _rule(rule: dict) -> tuple[str, ...]:
    return (
        rule["rule"],
        str(rule["jobs"]),
        f"{rule['median_s']:.1f}",
        f"{rule['total_s']:.0f}",
        f"{100 * rule['share']:.0f} %",
        f"{rule['peak_rss_mb'] / 1e3:.2f} GB",
        f"{rule['start_up_s']:.1f}",
        f"{100 * rule['start_up_share']:.0f} %",
    )


def _totals(run: dict) -> str:
    text = (
        f"{run['jobs']} jobs, {run['total_s']:.0f} s of job time, {run['cpu_s']:.0f} s of "
        f"processor time, {run['span_s']:.0f} s from the first job's start to the last one's end. "
        f"Start-up, timed now, is {100 * run['start_up_share']:.0f} % of the job time"
    )
    if run["start_up_cpu_share"]:
        text += f" and {100 * run['start_up_cpu_share']:.0f} % of the processor time"
    text += f" (an interpreter alone: {run['empty_interpreter_s']:.2f} s)."
    if run.get("wall_s"):
        text += f" The whole workflow took {run['wall_s']:.0f} s on {run['cores']} cores."
    if run["particles_per_second"]:
        speed = _scaled_number(run["particles_per_second"])
        text += f" Median training speed in the logs: {speed} particles/s."
    return text


def _scaled(series: dict) -> Iterable[tuple[str, ...]]:
    slopes = ["", *(f"{slope:.2f}" for slope in series["slopes"])]
    rows = zip(series["sizes"], series["median_s"], slopes, strict=True)
    for number, (size, seconds, slope) in enumerate(rows):
        names = (series["name"], series["variable"]) if number == 0 else ("", "")
        yield (*names, f"{size}", _seconds(seconds), slope)


def _plain_table(heads: Iterable[str], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [tuple(heads), *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def _seconds(seconds: float) -> str:
    return f"{seconds:.3g} s" if seconds >= 1 else f"{1e3 * seconds:.3g} ms"


def _two_digits(value: float) -> str:
    """Round to two digits, without an exponent, such as 160 or 0.13."""
    return f"{float(f'{value:.2g}'):g}"


def _scaled_number(value: float) -> str:
    for scale, suffix in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= scale:
            return f"{value / scale:.3g} {suffix}"
    return f"{value:.3g} "
