"""The networks' fast path on a CPU."""
