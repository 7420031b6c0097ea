"""HDF5 artefacts: files, provenance and the hash of the code."""
