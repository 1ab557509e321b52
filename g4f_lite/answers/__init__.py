"""What comes back: deltas, the stream that a caller iterates, and the whole answer.  Knows no provider and no HTTP."""
