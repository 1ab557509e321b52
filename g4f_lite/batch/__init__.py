"""Many prompts: answered in order, several at a time, at the service's pace, and kept in a file as they come."""
