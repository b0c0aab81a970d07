"""Events on their way into Kafka: the emitter that tenants and `synclogs emit` use."""
