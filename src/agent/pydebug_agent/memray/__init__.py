"""memray, carried into a process that has none: tracked from a thread of its own, reported, and let go."""
