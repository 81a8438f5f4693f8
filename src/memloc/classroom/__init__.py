"""Assignments, and grading them safely (DESIGN, "The classroom")."""
