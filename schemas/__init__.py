"""What data is: the event, its directions and reasons, the topics, the rows, the tables. No I/O but reading these files."""
