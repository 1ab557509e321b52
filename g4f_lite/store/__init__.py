"""What is kept on disk, in SQLite files: answers, for a cache and for batches, and conversations."""
