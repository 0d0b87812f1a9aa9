"""Annotations as columns: parsed, checked, cached and mapped."""
