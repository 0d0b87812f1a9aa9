"""Malformed inputs by the thousand: sound inputs of every reader, seeded damage, and a judge of what commands say."""
