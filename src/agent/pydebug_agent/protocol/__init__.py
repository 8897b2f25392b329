"""The conversation with the client, and what can be asked in it."""
