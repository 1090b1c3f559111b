"""Nets, data sets and training."""
