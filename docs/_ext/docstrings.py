"""Docstrings of the library in the API pages.

- The types of artefacts declare units, axes and meaning of each field in code
  (`lagbias.schema.fields`), sections of the configuration a description (pydantic). Their
  docstrings do not repeat them, so that they are added here.
- Formulas are written in Unicode: ``|x|`` is no substitution and ``index_add_`` no target.
- A name in single backticks is a link where the library has an object of that name, seen from the
  module or class that is documented, and code where it has none.
"""

import dataclasses
import inspect
import re
import sys

from docutils import nodes
from pydantic import BaseModel
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxRole

from lagbias.schema.fields import FieldSpec, specs

_ROLES = {
    "arrays": "mapping of arrays",
    "number": "number",
    "label": "str",
    "attributes": "mapping",
}
_DTYPES = {"f": "float", "i": "int", "S": "bytes"}
_LITERAL = re.compile(r"(``.*?``|`.*?`)")


def _type_of(spec: FieldSpec) -> str:
    """Return dtype, shape and units as docstrings state them."""
    if spec.role == "array":
        kind = f"ndarray of {_DTYPES[spec.code]}, shape ({', '.join(spec.axes)})"
    else:
        kind = _ROLES[spec.role]
    if spec.role in {"label", "attributes"} or spec.code == "S":
        return kind
    return f"{kind}, {'dimensionless' if spec.units == '1' else f'[{spec.units}]'}"


def _fields(kind: type) -> list[tuple[str, str, str]]:
    """Return name, type and meaning of the declared fields of a class."""
    if issubclass(kind, BaseModel):
        fields = kind.model_fields.items()
        return [(name, "", field.description) for name, field in fields if field.description]
    if dataclasses.is_dataclass(kind):
        return [(name, _type_of(spec), spec.description) for name, spec in specs(kind).items()]
    return []


def _is_declared(kind: object, name: str) -> bool:
    return inspect.isclass(kind) and name in {field for field, _, _ in _fields(kind)}


def _add_fields(app: Sphinx, what: str, name: str, obj: object, options, lines: list[str]) -> None:
    if not inspect.isclass(obj) or "Attributes" in lines:
        return
    fields = _fields(obj)
    if fields:
        lines += ["", "Attributes", "----------"]
    for field, kind, meaning in fields:
        word = re.match(r"[a-z]{2,}", meaning)  # not a symbol
        first = meaning[:1].upper() if word else meaning[:1]
        sentence = first + meaning[1:] + ("" if meaning.endswith(".") else ".")
        lines += [f"{field} : {kind}" if kind else field, f"    {sentence}"]


def _escape(app: Sphinx, what: str, name: str, obj: object, options, lines: list[str]) -> None:
    for row, line in enumerate(lines):
        parts = _LITERAL.split(line)
        parts[::2] = [
            re.sub(r"(?<=\w)_(?=[\s.,;:)]|$)", r"\\_", part.replace("|", r"\|"))
            for part in parts[::2]
        ]
        lines[row] = "".join(parts)


def _skip(app: Sphinx, what: str, name: str, obj: object, skip: bool, options) -> bool | None:
    return True if name in {"model_config", "KIND"} else None


class Name(SphinxRole):
    """A name in single backticks."""

    def run(self) -> tuple[list[nodes.Node], list]:
        """Return a link to an object of the library, or code."""
        text = self.text.removeprefix("~")
        literal = nodes.literal(text, text)
        target = self._full_name(text)
        if target is None:
            return [literal], []
        link = addnodes.pending_xref(
            "", literal, refdomain="py", reftype="obj", reftarget=target, refdoc=self.env.docname
        )
        return [link], []

    def _full_name(self, text: str) -> str | None:
        context = self.env.ref_context
        module, kind = context.get("py:module"), context.get("py:class")
        if not re.fullmatch(r"[A-Za-z_][\w.]*", text):
            return None
        if text.startswith("lagbias."):
            return text
        for scope in filter(None, (module and kind and f"{module}.{kind}", module)):
            found = _look_up(f"{scope}.{text}")
            if found is not None:
                home = getattr(found, "__module__", None) or ""
                own = home.startswith("lagbias.") and hasattr(found, "__qualname__")
                return f"{home}.{found.__qualname__}" if own else f"{scope}.{text}"
        return None


def _look_up(name: str) -> object | None:
    """Return the object of a dotted name in the modules that are imported, or None."""
    parts = name.split(".")
    for split in range(len(parts), 0, -1):
        found = sys.modules.get(".".join(parts[:split]))
        if found is not None:
            for part in parts[split:]:
                found = getattr(found, part, None)
            return found
    return None


def setup(app: Sphinx) -> dict:
    """Register the extension; its handlers come before napoleon's, which formats sections."""
    app.connect("autodoc-process-docstring", _add_fields, priority=400)
    app.connect("autodoc-process-docstring", _escape, priority=410)
    app.connect("autodoc-skip-member", _skip)
    app.add_role("name", Name())
    return {"parallel_read_safe": True, "parallel_write_safe": True}
