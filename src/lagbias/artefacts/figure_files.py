"""Provenance of figures, in the metadata of PNG and PDF files and in the report's captions."""

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass

from PIL import Image, UnidentifiedImageError

from lagbias.runtime.atomic import ArtefactError

__all__ = ["Origin", "metadata", "read"]

#: Keyword of the description in a PNG file.
_KEYWORD = "lagbias"


def metadata(description: Mapping | None = None) -> dict[str, dict[str, str | None]]:
    """Return matplotlib's ``metadata`` for figures, by file format.

    Parameters
    ----------
    description : mapping, optional
        Provenance as JSON types, see `lagbias.stages.job.Task.describe`; without one the files
        hold none.

    Returns
    -------
    dict
        Metadata of ``pdf`` and ``png`` files, without dates: the description is the text
        ``lagbias`` of a PNG and the keywords of a PDF.
    """
    pdf: dict[str, str | None] = {"CreationDate": None}
    png: dict[str, str | None] = {"Software": None}
    if description is not None:
        text = json.dumps(description, sort_keys=True)
        pdf |= {"Title": description["rule"], "Keywords": text}
        png |= {"Title": description["rule"], _KEYWORD: text}
    return {"pdf": pdf, "png": png}


def read(path: str | os.PathLike) -> dict:
    """Read the provenance of a figure from its PNG file.

    Raises
    ------
    lagbias.artefacts.store.ArtefactError
        If the file is no PNG or holds no provenance.
    OSError
        If it cannot be read.
    """
    try:
        with Image.open(path, formats=["PNG"]) as image:
            text = image.info.get(_KEYWORD)
    except UnidentifiedImageError:
        raise ArtefactError(f"{path} is not a PNG file.") from None
    if text is None:
        raise ArtefactError(
            f"{path} holds no provenance: it was not drawn by the workflow, or by a version before "
            "figures recorded it. Run the workflow again."
        )
    return json.loads(text)


@dataclass(frozen=True)
class Origin:
    """How a figure was made, for its caption in the report.

    Attributes
    ----------
    path : str
        The PNG file.
    """

    path: str

    def caption(self) -> str:
        """Return the provenance in the file, or why there is none, as reStructuredText."""
        try:
            found = read(self.path)
        except ArtefactError as error:
            return str(error)
        inputs = ", ".join(f"``{path}`` ``{id_}``" for path, id_ in found["inputs"].items())
        configuration = json.dumps(found["configuration"], sort_keys=True).encode()
        digest = hashlib.sha256(configuration).hexdigest()[:16]
        commit = f", commit ``{found['commit']}``" if found["commit"] else ""
        return (
            f"Drawn by ``lagbias.figures.{found['params']['figure']}`` "
            f"(lagbias {found['versions'].get('lagbias', '')}{commit}); figure "
            f"``{found['artefact_id']}``; configuration of the run {found['params']['run']}, "
            f"SHA-256 ``{digest}``. Artefacts and their identifiers: {inputs}. ``lagbias show`` "
            "prints all this from the PNG file."
        )
