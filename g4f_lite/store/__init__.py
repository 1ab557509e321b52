"""What is kept on disk: answers, for a cache and for batches, and conversations, in SQLite; and files written whole."""
