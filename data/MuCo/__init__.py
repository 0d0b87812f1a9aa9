"""MuCo-3DHP with SMPL fits."""
