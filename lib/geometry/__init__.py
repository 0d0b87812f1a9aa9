"""Boxes, crops, cameras and rigid alignment."""
