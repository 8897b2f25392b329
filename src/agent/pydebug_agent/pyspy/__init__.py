"""Runs py-spy."""
