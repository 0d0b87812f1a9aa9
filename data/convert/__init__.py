"""Conversion of motion and annotations from their publishers' formats."""
