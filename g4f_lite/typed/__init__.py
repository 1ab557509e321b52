"""From text to values: typed answers, and functions that a model may call."""
