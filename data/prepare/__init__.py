"""Scripts that prepare data: motion capture to pose files, pose priors, the open benchmark."""
