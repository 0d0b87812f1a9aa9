"""Mesh models: topology, joint regressors, skinning parameters."""
