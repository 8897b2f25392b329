"""Runs bpftrace, seen from the target's container."""
