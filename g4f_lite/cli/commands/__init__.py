"""One module per command; click runs its function ``command``."""
