"""The answers in the example notebook, which are the same each time it is executed.

``python docs/prepared_answers.py`` executes it, and writes it with its outputs.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from g4f_lite.emulator import Emulator

# A part of each prompt, and the answer to it.
ANSWERS = {
    "Why is the sky blue?": (
        "Sunlight has all colours in it. The air scatters **blue** light about five times as much as red light, "
        "because its waves are shorter. So blue light reaches your eyes from all directions."
    ),
    "as a haiku": "Light meets the thin air,  \nblue is thrown to every side,  \nred goes straight ahead.",
    "counts the vowels": (
        "This function looks at each letter once:\n\n```python\ndef count_vowels(text):\n"
        '    return sum(letter in "aeiou" for letter in text.lower())\n\n\ncount_vowels("Scattering")\n```'
    ),
    "How many people": '{"Oslo": 717710, "Bergen": 291940}',
    "bright lamp": '{"product": "lamp", "stars": 5, "complaint": ""}',
    "kettle": '{"product": "kettle", "stars": 2, "complaint": "It leaks."}',
    "chair": '{"product": "chair", "stars": 1, "complaint": "It wobbles."}',
    "desk": '{"product": "desk", "stars": 4, "complaint": "It was delivered late."}',
}


def backend(messages: list[dict[str, Any]]) -> Iterable[str]:
    """Give the pieces of the answer to the last message."""
    asked = str(messages[-1]["content"])
    answer = next((answer for part, answer in ANSWERS.items() if part in asked), asked)
    return re.findall(r"\s*\S+|\s+", answer)


def emulator() -> Emulator:
    """Make a server on loopback that gives these answers."""
    return Emulator(backend)


def environment_for(emulator: Emulator) -> dict[str, str]:
    """Give the environment of a notebook that asks the server."""
    return {"G4F_LITE_BASE_URL": f"{emulator.url}/v1", "G4F_LITE_MODEL": "gpt-4", "G4F_LITE_OFFLINE": "1"}


def main() -> None:
    """Execute the notebook, and write it."""
    import nbclient
    import nbformat

    path = Path(__file__).with_name("first-notebook.ipynb")
    notebook = nbformat.read(path, as_version=4)
    with emulator() as answering, tempfile.TemporaryDirectory() as folder:
        client = nbclient.NotebookClient(
            notebook, kernel_name="python3", resources={"metadata": {"path": folder}}, record_timing=False
        )
        client.execute(env={**os.environ, **environment_for(answering)})
    notebook.metadata.language_info = {"name": "python"}  # not the version, and what else this machine has
    nbformat.write(notebook, path)


if __name__ == "__main__":
    main()
