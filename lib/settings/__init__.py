"""Settings: what they are, what they mean, how they are read."""
