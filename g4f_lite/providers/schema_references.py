"""Where the references in a JSON schema lead."""

from __future__ import annotations

import re
from typing import Any


def target_of(reference: str, schema: Any) -> Any:
    """Return the part of a schema that a reference names, or None.

    :param reference: a JSON pointer behind ``#``, such as ``#/$defs/Node`` or ``#/anyOf/0``
    :param schema: the whole schema
    """
    target = schema
    for name in reference.removeprefix("#").split("/")[1:]:
        if isinstance(target, list):
            number = int(name) if re.fullmatch("[0-9]{1,9}", name) else len(target)
            target = target[number] if number < len(target) else None
        else:
            target = target.get(name.replace("~1", "/").replace("~0", "~")) if isinstance(target, dict) else None
    return target
