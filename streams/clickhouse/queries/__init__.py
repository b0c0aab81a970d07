"""The named queries: SQL stands here and nowhere else, so that a number and its rows come from one condition."""
