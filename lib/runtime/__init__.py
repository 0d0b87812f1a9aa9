"""Processes, memory and start of the programs."""
