"""What data is: the event, its directions and reasons, topics, rows, tables. No I/O but reading these files."""
