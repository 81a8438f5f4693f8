"""A user's own model and data: the same techniques and the same analysis on checkpoints made elsewhere, no store."""
