"""A real Kubernetes of one node, started from the programs on this machine."""
