"""The only maker of Kafka clients, besides Faust's own: connecting, topics, and owning a partition."""
