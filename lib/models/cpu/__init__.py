"""The networks' fast paths on a CPU, and their switch."""
