"""What ``data/tiny.py`` is made of: stand-in model files, posed people, one writer per data set."""
