"""Documentation of the configuration, written from its model: a JSON Schema and a table of keys."""

import json
import typing
from pathlib import Path

from pydantic import BaseModel

from lagbias.config import Config

__all__ = ["FILES", "json_schema", "reference"]

_INTRODUCTION = """\
# Configuration

`config.yaml` is the default run; `tiny.yaml` (tests, two minutes) and `large.yaml` (hours) are laid
on top of it with `snakemake --configfile config/tiny.yaml`. Definitions (mappings) are merged with
those of the default, selections (lists) are replaced. A wrong key, type or value stops the workflow
before anything is computed, with the key, the value and the remedy.

To add a set of smoothing radii, add one line to `smoothing_sets`. Threads, memory and executors are
set in `profiles/`, not here.

This page is written from `src/lagbias/config.py` by `python -m lagbias config --write`.
"""


def json_schema() -> str:
    """Return the JSON Schema of the configuration, for editors that complete YAML."""
    return json.dumps(Config.model_json_schema(), indent=2, sort_keys=True) + "\n"


def reference() -> str:
    """Return the Markdown page that explains every key."""
    lines = [_INTRODUCTION]
    lines += ["## Top level", "", *_table(Config), ""]
    for name, field in Config.model_fields.items():
        section = _section(field.annotation)
        if section is not None:
            title = f"{name}.<name>" if typing.get_origin(field.annotation) is dict else name
            lines += [f"## `{title}`", "", section.__doc__ or "", "", *_table(section), ""]
    return "\n".join(lines).rstrip() + "\n"


def _section(annotation) -> type[BaseModel] | None:
    """Return the model behind an annotation: itself, or the values of a mapping."""
    candidates = [annotation, *typing.get_args(annotation)]
    models = [c for c in candidates if isinstance(c, type) and issubclass(c, BaseModel)]
    return models[0] if models else None


def _table(section: type[BaseModel]) -> list[str]:
    rows = ["| key | type | meaning |", "|---|---|---|"]
    for name, field in section.model_fields.items():
        optional = "" if field.is_required() else " Optional."
        rows.append(f"| `{name}` | {_type(field.annotation)} | {field.description}{optional} |")
    return rows


def _type(annotation) -> str:
    """Name a type in a reader's words."""
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        return _type(arguments[0])
    if origin is typing.Literal:
        return " or ".join(f"`{value}`" for value in arguments)
    if origin is list:
        return f"list of {_type(arguments[0])}"
    if origin is dict:
        return f"mapping of name to {_type(arguments[1])}"
    if origin is not None:
        return " or ".join(_type(a) for a in arguments if a is not type(None))
    if issubclass(annotation, BaseModel):
        return "section"
    return {int: "integer", float: "number", str: "name", bool: "true or false"}[annotation]


#: Generated files, relative to the repository, and what makes them.
FILES = {
    Path("config/README.md"): reference,
    Path("workflow/schemas/config.schema.json"): json_schema,
}
