"""What happens to data, from the Kafka topic to the published page. The rooms and the way through them: streams/README.md."""
