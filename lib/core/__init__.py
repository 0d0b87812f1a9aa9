"""Settings, losses, metrics, checkpoints, processes, trainer and tester."""
