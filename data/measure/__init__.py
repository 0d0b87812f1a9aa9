"""Measurements that documents quote."""
