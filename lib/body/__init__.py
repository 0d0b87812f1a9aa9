"""Statistical body and hand models: files, rotations, linear blend skinning."""
