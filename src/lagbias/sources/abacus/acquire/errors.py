"""What can go wrong when files are fetched, linked or verified."""

__all__ = [
    "AcquisitionError",
    "CorruptFileError",
    "DownloadError",
    "MissingFileError",
    "NotEnoughSpaceError",
]


class AcquisitionError(RuntimeError):
    """Files of a simulation cannot be had; the message names the file and the remedy."""


class DownloadError(AcquisitionError):
    """A server could not be reached, refused, or kept cutting connections."""


class MissingFileError(AcquisitionError):
    """The server, or the tree on disk, does not have the file."""


class CorruptFileError(AcquisitionError):
    """A file does not have the size or the checksum that it should have."""


class NotEnoughSpaceError(AcquisitionError):
    """The disk has less room than the files need."""
