"""Units, axes and meaning of the fields of the library's types."""
