"""Editions, slides, exported pages and the learner's progress."""
