"""Integrations with other packages, one module each; nothing here is imported unless it is used."""
