"""Data sets: each module parses its annotation files and states its protocol; everything else is shared."""
