"""Human3.6M with SMPL fits."""
