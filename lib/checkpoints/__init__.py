"""Weights on disk: reading, checking, finding and saving them."""
