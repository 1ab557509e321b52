"""ai-chats.org."""
