"""Checks of the data sets that are in place."""
