"""Training and test samples that are sequences: windows of motion, 2D errors correlated in time, batches of both."""
