"""The verdicts as JSON, Markdown and HTML."""

import html
import json
import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from lagbias.claims.base import FAILS, HOLDS, OUTCOMES, UNTESTED, Measurement, Verdict
from lagbias.runtime.atomic import write_text
from lagbias.runtime.markdown import markdown_table

__all__ = ["side_by_side", "write"]

_COLUMNS = ("id", "claim", "paper", "measured", "scatter", "threshold", "verdict")
_TITLE = "Claims of Wu, Muñoz & Eisenstein 2023 in the run {run}"
_INTRODUCTION = (
    "Verdicts are computed from the run's artefacts. ⟨R⟩ is the mean of R = P_model/P_h over the "
    "modes of k < 0.1 h/Mpc; R is that of the average f unless networks are named. (soft): the "
    "paper only mentions it in passing or shows it in a figure. The paper's epochs 20 and 50 of 50 "
    "correspond to 40 % and 100 % of the run's."
)


def write(verdicts: Sequence[Verdict], run: str, outputs: Mapping[str, str | Path]) -> None:
    """Write the verdicts to ``json``, ``markdown`` and ``html``, a row each, atomically."""
    write_text(outputs["json"], _as_json(verdicts, run))
    write_text(outputs["markdown"], _as_markdown(verdicts, run))
    write_text(outputs["html"], _as_html(verdicts, run))


def side_by_side(tables: Sequence[Mapping[str, Any]], missing: Sequence[str] = ()) -> str:
    """Return a Markdown page of the verdicts of several runs, a column each.

    Parameters
    ----------
    tables : sequence of Mapping
        Contents of the runs' ``claims.json``.
    missing : sequence of str
        Runs without results yet.

    Raises
    ------
    ValueError
        If the runs were checked by versions whose claims differ.
    """
    same = ("id", "statement", "paper", "threshold")
    declared = [[[claim[key] for key in same] for claim in table["claims"]] for table in tables]
    for table, claims in zip(tables, declared, strict=True):
        if claims != declared[0]:
            raise ValueError(
                f"The claims in the runs {tables[0]['run']} and {table['run']} have different "
                "texts or thresholds. Check both runs with the same version."
            )
    runs = [table["run"] for table in tables]
    lines = ["# Claims of Wu, Muñoz & Eisenstein 2023 in several runs", ""]
    lines += [f"- {table['run']}: {_summary(table['summary'])}" for table in tables]
    lines += [f"- {name}: not run." for name in missing]
    columns = ("id", "claim", "paper", "threshold", *runs, *missing)
    rows = (
        [*claim, *(f"**{f['verdict']}**: {f['measured'] or f['reason']}" for f in found)]
        + ["not run"] * len(missing)
        for claim, *found in zip(declared[0], *(table["claims"] for table in tables), strict=True)
    )
    lines += ["", _INTRODUCTION, "", markdown_table(columns, rows)]
    return "\n".join(lines) + "\n"


def _as_json(verdicts: Sequence[Verdict], run: str) -> str:
    """Return all fields of the verdicts and their counts as JSON."""
    table = {"run": run, "summary": _counts(verdicts), "claims": list(map(_fields, verdicts))}
    return json.dumps(table, ensure_ascii=False, indent=1, allow_nan=False) + "\n"


def _as_markdown(verdicts: Sequence[Verdict], run: str) -> str:
    """Return a Markdown page: counts, the table, and the metric and the artefacts of each claim."""
    lines = [f"# {_TITLE.format(run=run)}", "", _summary(_counts(verdicts)), "", _INTRODUCTION, ""]
    rows = ([*cells, f"**{outcome}**"] for *cells, outcome in map(_cells, verdicts))
    lines += [markdown_table(_COLUMNS, rows), "", "## Metrics and artefacts", ""]
    root = _root(verdicts)
    for verdict in verdicts:
        claim, files = verdict.claim, _compact(_paths(verdict), root)
        text = f"- **{claim.id}** ({claim.place}): {claim.metric}."
        lines.append(text + (f" From {', '.join(f'`{f}`' for f in files)}." if files else ""))
    return "\n".join(lines) + "\n"


def _as_html(verdicts: Sequence[Verdict], run: str) -> str:
    """Return a self-contained HTML page without scripts."""
    head = "".join(f"<th>{name}</th>" for name in _COLUMNS)
    root = _root(verdicts)
    rows = "\n".join(_html_row(verdict, root) for verdict in verdicts)
    return _PAGE.format(
        title=html.escape(_TITLE.format(run=run)),
        summary=html.escape(_summary(_counts(verdicts))),
        introduction=html.escape(_INTRODUCTION),
        head=head,
        rows=rows,
    )


def _compact(paths: Sequence[str], root: str) -> list[str]:
    """Return paths relative to a folder; several files of one folder become one entry."""
    folders: dict[str, list[str]] = {}
    for path in paths:
        relative = Path(os.path.relpath(path, root))
        folders.setdefault(relative.parent.as_posix(), []).append(relative.as_posix())
    return [
        files[0] if len(files) == 1 else f"{folder}/ ({len(files)} files)"
        for folder, files in folders.items()
    ]


def _counts(verdicts: Iterable[Verdict]) -> dict[str, int]:
    """Count the verdicts by outcome, including outcomes that do not occur."""
    found = Counter(verdict.outcome for verdict in verdicts)
    return {outcome: found[outcome] for outcome in OUTCOMES}


def _summary(found: Mapping[str, int]) -> str:
    """Return a sentence with the number of claims of each outcome."""
    return (
        f"{sum(found.values())} claims: {found[HOLDS]} hold, {found[FAILS]} do not hold, "
        f"{found[UNTESTED]} cannot be tested on this run."
    )


def _fields(verdict: Verdict) -> dict[str, Any]:
    found = verdict.measurement or Measurement("", {}, False)
    scatter, scatter_of = found.scatter or (None, "")
    return {
        **asdict(verdict.claim),
        "verdict": verdict.outcome,
        "reason": verdict.reason,
        "measured": found.measured,
        "values": found.values,
        "scatter": scatter,
        "scatter_of": scatter_of,
        "artefacts": found.artefacts,
    }


def _cells(verdict: Verdict) -> list[str]:
    """Return the row of a verdict in the order of `_COLUMNS`."""
    claim, found = verdict.claim, verdict.measurement
    measured = found.measured if found else f"Cannot be tested: {verdict.reason}."
    scatter = "–"
    if found and found.scatter:
        scatter = "{:.3g} ({})".format(*found.scatter)
    outcome = verdict.outcome + (" (soft)" if claim.soft else "")
    return [claim.id, claim.statement, claim.paper, measured, scatter, claim.threshold, outcome]


def _paths(verdict: Verdict) -> Sequence[str]:
    return verdict.measurement.artefacts if verdict.measurement else ()


def _root(verdicts: Sequence[Verdict]) -> str:
    """Return the deepest common folder of all artefacts."""
    folders = {str(Path(path).parent) for verdict in verdicts for path in _paths(verdict)}
    return os.path.commonpath(folders) if folders else ""


def _html_row(verdict: Verdict, root: str) -> str:
    *cells, outcome = map(html.escape, _cells(verdict))
    claim = verdict.claim
    files = "".join(f"<li>{html.escape(f)}</li>" for f in _compact(_paths(verdict), root))
    details = f"<p>{html.escape(claim.place)}. {html.escape(claim.metric)}.</p>"
    cells[1] += f"<details><summary>How</summary>{details}<ul>{files}</ul></details>"
    look = _CLASSES[verdict.outcome]
    columns = "".join(f"<td>{cell}</td>" for cell in cells)
    return f'<tr id="{claim.id}">{columns}<td class="{look}">{outcome}</td></tr>'


_CLASSES = {HOLDS: "holds", FAILS: "fails", UNTESTED: "untested"}
_PAGE = """\
<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<style>
body {{ font-family: sans-serif; margin: 1.5em; line-height: 1.35; }}
table {{ border-collapse: collapse; font-size: 0.85em; }}
th, td {{ border-bottom: 1px solid #ccc; padding: 0.35em 0.7em; text-align: left;
  vertical-align: top; }}
th {{ position: sticky; top: 0; background: #fff; }}
td:last-child {{ font-weight: bold; }}
.holds {{ color: #005a3c; background: #e3f4ec; }}
.fails {{ color: #8a3200; background: #fdebe0; }}
.untested {{ color: #444; background: #eee; }}
details {{ color: #444; margin-top: 0.3em; }}
ul {{ margin: 0.2em 0; padding-left: 1.2em; }}
</style></head><body>
<h1>{title}</h1>
<p><strong>{summary}</strong></p>
<p>{introduction}</p>
<table><thead><tr>{head}</tr></thead>
<tbody>
{rows}
</tbody></table></body></html>
"""
