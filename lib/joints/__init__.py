"""Joint sets: names, bones, flip pairs and roots, built in or from users' files."""
