"""Readers of single formats of detectors' files."""
