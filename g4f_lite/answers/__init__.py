"""What a provider returns: deltas, the stream that a caller iterates, and the whole answer.

Nothing here knows about providers or HTTP.
"""
