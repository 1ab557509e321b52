"""Answers in YAML: PyYAML refuses a subclass of ``str`` that it was not told about."""

from __future__ import annotations

import sys


def teach_yaml(kind: type[str]) -> None:
    """Make PyYAML, which is loaded, write a subclass of ``str`` as a plain string.

    Its dumpers look types up in a table, of which each subclass that adds to it has a copy: each copy gets an entry.

    :param kind: the class
    """
    base = getattr(sys.modules["yaml.representer"], "SafeRepresenter", None)  # None while it is being imported
    if base is None or kind in base.yaml_representers:
        return
    dumpers = [base]
    for dumper in dumpers:
        dumpers += dumper.__subclasses__()
        if "yaml_representers" in vars(dumper):
            dumper.yaml_representers.setdefault(kind, base.represent_str)
