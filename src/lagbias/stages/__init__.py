"""One function per workflow rule: artefacts in, artefact out."""
