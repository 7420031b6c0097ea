"""Tables in Markdown."""

from collections.abc import Iterable, Sequence

__all__ = ["markdown_table"]


def markdown_table(
    head: Sequence[str], rows: Iterable[Iterable[str]], *, align_right: bool = False
) -> str:
    """Return a table in Markdown, without a line break at its end.

    Parameters
    ----------
    head : sequence of str
        Names of the columns.
    rows : iterable of iterables of str
        Cells; a ``|`` in them is escaped.
    align_right : bool, optional, keyword-only
        Whether all columns but the first are aligned on their right, as numbers are.
    """
    rule = ["---", *(["---:" if align_right else "---"] * (len(head) - 1))]
    escaped = ([cell.replace("|", "\\|") for cell in cells] for cells in (head, rule, *rows))
    return "\n".join(f"| {' | '.join(cells)} |" for cells in escaped)
