"""One module per command; its ``command`` is what click runs."""
