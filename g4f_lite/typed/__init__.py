"""From the text of an answer to a value of a Python type."""
