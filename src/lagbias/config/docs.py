"""Documentation generated from the model of the configuration: JSON Schema and tables of keys."""

import html
import json
import typing
from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel

from lagbias.config.model import Config
from lagbias.config.sections import TrainingOverrides, section_of
from lagbias.runtime.markdown import markdown_table

__all__ = ["FILES", "json_schema", "reference", "values_page"]

_INTRODUCTION = """\
# Configuration

`config.yaml` is the default run. `tiny.yaml` (tests, minutes), `reference.yaml` (the paper on our
own boxes, hours), `abacus.yaml` (the boxes of the paper), `mini.yaml` (the test simulation of
abacusutils) and `files.yaml` (an example of your own simulation, to be edited) are added on top of
it with `snakemake --configfile config/tiny.yaml`: definitions (mappings) are merged with those of
the default, selections (lists) replace them. An unknown key, a wrong type or an invalid value stops
the workflow before anything is computed, with the key, the value and the remedy.

To add a set of smoothing radii, add one line to `smoothing_sets`. Threads, memory and executors are
set in `profiles/`.

This page is generated from `src/lagbias/config/` by `python -m lagbias config --write`.
"""


def json_schema() -> str:
    """Return the JSON Schema of the configuration, for editors that complete YAML."""
    return json.dumps(Config.model_json_schema(), indent=2, sort_keys=True) + "\n"


def reference() -> str:
    """Return the Markdown page that documents every key."""
    lines = [_INTRODUCTION]
    lines += ["## Top level", "", _table(Config), ""]
    for title, section in _sections(Config):
        lines += [f"## `{title}`", "", section.__doc__ or "", "", _table(section), ""]
    return "\n".join(lines).rstrip() + "\n"


def values_page(config: Config) -> str:
    """Return an HTML page of a run's configuration: every key, its value and its description.

    Parameters
    ----------
    config : Config
        The configuration.

    Returns
    -------
    str
        A self-contained page.
    """
    rows = [
        f"<tr><td><code>{html.escape(key)}</code></td><td><code>{html.escape(value)}</code></td>"
        f"<td>{html.escape(description)}</td></tr>"
        for key, value, description in _values(config)
    ]
    return _PAGE.format(run=html.escape(config.run), rows="\n".join(rows))


_PAGE = """\
<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>Configuration of {run}</title>
<style>
body {{ font-family: sans-serif; margin: 1.5em; }}
table {{ border-collapse: collapse; font-size: 0.9em; }}
th, td {{ border-bottom: 1px solid #ccc; padding: 0.25em 0.8em; text-align: left;
  vertical-align: top; }}
</style></head><body>
<h1>Configuration of run {run}</h1>
<table><thead><tr><th>key</th><th>value</th><th>description</th></tr></thead>
<tbody>
{rows}
</tbody></table></body></html>
"""


def _sections(parent: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, type[BaseModel]]]:
    """Yield title and model of every section, each followed by those within it."""
    for name, field in parent.model_fields.items():
        section = section_of(field.annotation)
        if section not in (None, TrainingOverrides):  # whose keys are those of `training`
            member = ".<name>" if typing.get_origin(field.annotation) is dict else ""
            title = f"{prefix}{name}{member}"
            yield title, section
            yield from _sections(section, f"{title}.")


def _values(section: BaseModel, prefix: str = "") -> Iterator[tuple[str, str, str]]:
    """Yield key, value and description of every leaf of the configuration that is set."""
    for name, field in type(section).model_fields.items():
        value, key = getattr(section, name), f"{prefix}{name}"
        if isinstance(value, BaseModel):
            yield from _values(value, f"{key}.")
        elif isinstance(value, dict):
            for member, content in value.items():
                if isinstance(content, BaseModel):
                    yield from _values(content, f"{key}.{member}.")
                else:
                    yield f"{key}.{member}", json.dumps(content), field.description
        elif value is not None:
            yield key, json.dumps(value, ensure_ascii=False), field.description


def _table(section: type[BaseModel]) -> str:
    rows = (
        (
            f"`{name}`",
            _type(field.annotation),
            field.description + ("" if field.is_required() else " Optional."),
        )
        for name, field in section.model_fields.items()
    )
    return markdown_table(("key", "type", "description"), rows)


def _type(annotation) -> str:
    """Name a type in plain words."""
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        return _type(arguments[0])
    if origin is typing.Literal:
        return " or ".join(f"`{value}`" for value in arguments)
    if origin is list:
        return f"list of {_type(arguments[0])}s"
    if origin is dict:
        return f"mapping of name to {_type(arguments[1])}"
    if origin is not None:
        return " or ".join(_type(a) for a in arguments if a is not type(None))
    if issubclass(annotation, BaseModel):
        return "section"
    return {int: "integer", float: "number", str: "string", bool: "boolean"}[annotation]


#: Generated files, relative to the repository, and the functions that return their text.
FILES = {
    Path("config/README.md"): reference,
    Path("workflow/schemas/config.schema.json"): json_schema,
}
