"""Where a live Python's wall time goes: samplers, and the report of what they saw."""
