"""What assets of the repository were built with."""
