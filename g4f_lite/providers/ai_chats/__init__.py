"""The provider for ai-chats.org."""
