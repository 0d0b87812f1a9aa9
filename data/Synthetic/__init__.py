"""Drawn data, nothing to download."""
