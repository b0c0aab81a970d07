"""What happens to data, from the Kafka topic to the published page. The rooms and the way: streams/README.md."""
