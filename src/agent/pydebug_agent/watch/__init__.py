"""Watches processes: what the kernel counts of them, interval by interval, and where their threads are between."""
