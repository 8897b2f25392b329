"""Programs of others: brought in by their hash, run under a deadline, ended with the agent."""
