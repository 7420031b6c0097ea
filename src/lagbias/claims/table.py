"""The verdicts as JSON, Markdown and HTML."""

import html
import json
import os
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path

from lagbias.artefacts import store
from lagbias.claims.base import FAILS, HOLDS, OUTCOMES, UNTESTED, Verdict

__all__ = ["as_html", "as_json", "as_markdown", "compact_paths", "counts", "write"]

_COLUMNS = ("id", "claim", "paper", "measured", "scatter", "threshold", "verdict")
_TITLE = "Claims of Wu, Muñoz & Eisenstein 2023 in the run {run}"
_INTRODUCTION = (
    "Verdicts are computed from the run's artefacts. ⟨R⟩ is the mean of R = P_model/P_h over the "
    "modes of k < 0.1 h/Mpc; R is that of the average f unless networks are named. (soft): the "
    "paper says so in passing or in a picture only. The paper's epochs 20 and 50 of 50 "
    "stand for 40 % and 100 % of the run's."
)


def counts(verdicts: Iterable[Verdict]) -> dict[str, int]:
    """Count the verdicts by outcome, all outcomes being named."""
    found = Counter(verdict.outcome for verdict in verdicts)
    return {outcome: found[outcome] for outcome in OUTCOMES}


def write(
    verdicts: Sequence[Verdict],
    run: str,
    *,
    json_path: str | Path,
    markdown_path: str | Path,
    html_path: str | Path,
) -> None:
    """Write the three tables, each atomically.

    Parameters
    ----------
    verdicts : sequence of Verdict
        In the order of the rows.
    run : str
        Name of the run, for the titles.
    json_path, markdown_path, html_path : str or Path, keyword-only
        Where to write.

    Raises
    ------
    lagbias.artefacts.store.ArtefactError
        If a file cannot be written.
    """
    store.write_text(json_path, as_json(verdicts, run))
    store.write_text(markdown_path, as_markdown(verdicts, run))
    store.write_text(html_path, as_html(verdicts, run))


def as_json(verdicts: Sequence[Verdict], run: str) -> str:
    """Return all fields of the verdicts and their counts as JSON."""
    table = {
        "run": run,
        "summary": counts(verdicts),
        "claims": [_fields(verdict) for verdict in verdicts],
    }
    return json.dumps(table, ensure_ascii=False, indent=1, allow_nan=False) + "\n"


def as_markdown(verdicts: Sequence[Verdict], run: str) -> str:
    """Return a Markdown page: counts, the table, and where each claim is and what tested it."""
    lines = [f"# {_TITLE.format(run=run)}", "", _summary(verdicts), "", _INTRODUCTION, ""]
    lines += [_markdown_row(_COLUMNS), _markdown_row(["---"] * len(_COLUMNS))]
    for verdict in verdicts:
        *cells, outcome = _cells(verdict)
        lines.append(_markdown_row([*cells, f"**{outcome}**"]))
    lines += ["", "## What was measured, and on what", ""]
    root = _root(verdicts)
    for verdict in verdicts:
        claim, files = verdict.claim, compact_paths(_paths(verdict), root)
        text = f"- **{claim.id}** ({claim.place}): {claim.metric}."
        lines.append(text + (f" From {', '.join(f'`{f}`' for f in files)}." if files else ""))
    return "\n".join(lines) + "\n"


def as_html(verdicts: Sequence[Verdict], run: str) -> str:
    """Return a page that needs no other file and no script."""
    head = "".join(f"<th>{name}</th>" for name in _COLUMNS)
    root = _root(verdicts)
    rows = "\n".join(_html_row(verdict, root) for verdict in verdicts)
    return _PAGE.format(
        title=html.escape(_TITLE.format(run=run)),
        summary=html.escape(_summary(verdicts)),
        introduction=html.escape(_INTRODUCTION),
        head=head,
        rows=rows,
    )


def compact_paths(paths: Sequence[str], root: str = "") -> list[str]:
    """Shorten a list of files: relative to a folder, files of one folder counted.

    Parameters
    ----------
    paths : sequence of str
        Files.
    root : str
        Folder that paths are given relative to; none when empty.

    Returns
    -------
    list of str
        One entry per folder: the file, or the folder with the number of its files.
    """
    folders: dict[str, list[str]] = {}
    for path in paths:
        shown = Path(os.path.relpath(path, root) if root else path)
        folders.setdefault(shown.parent.as_posix(), []).append(shown.as_posix())
    return [
        files[0] if len(files) == 1 else f"{folder}/ ({len(files)} files)"
        for folder, files in folders.items()
    ]


def _summary(verdicts: Sequence[Verdict]) -> str:
    """Say how many claims hold."""
    found = counts(verdicts)
    return (
        f"{len(verdicts)} claims: {found[HOLDS]} hold, {found[FAILS]} do not hold, "
        f"{found[UNTESTED]} cannot be tested on this run."
    )


def _fields(verdict: Verdict) -> dict:
    measurement = verdict.measurement
    found = asdict(measurement) if measurement else {}
    found.pop("holds", None)
    return {
        **asdict(verdict.claim),
        "verdict": verdict.outcome,
        "reason": verdict.reason,
        **({"measured": "", "values": {}, "scatter": None, "scatter_of": "", "artefacts": []}),
        **found,
    }


def _cells(verdict: Verdict) -> list[str]:
    """Return the row of a verdict in the order of `_COLUMNS`."""
    claim, found = verdict.claim, verdict.measurement
    measured = found.measured if found else f"Cannot be tested: {verdict.reason}."
    scatter = "–"
    if found and found.scatter is not None:
        scatter = f"{found.scatter:.3g} ({found.scatter_of})"
    outcome = verdict.outcome + (" (soft)" if claim.soft else "")
    return [claim.id, claim.statement, claim.paper, measured, scatter, claim.threshold, outcome]


def _paths(verdict: Verdict) -> Sequence[str]:
    return verdict.measurement.artefacts if verdict.measurement else ()


def _root(verdicts: Sequence[Verdict]) -> str:
    """Return the deepest folder that holds all artefacts."""
    folders = {str(Path(path).parent) for verdict in verdicts for path in _paths(verdict)}
    return os.path.commonpath(folders) if folders else ""


def _markdown_row(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _html_row(verdict: Verdict, root: str) -> str:
    *cells, outcome = map(html.escape, _cells(verdict))
    claim = verdict.claim
    files = "".join(f"<li>{html.escape(f)}</li>" for f in compact_paths(_paths(verdict), root))
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
