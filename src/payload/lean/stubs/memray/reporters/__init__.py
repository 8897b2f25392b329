"""Stands in for memray's reporters."""
