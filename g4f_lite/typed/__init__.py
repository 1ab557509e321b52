"""From text to values: functions that a model may call."""
