"""The command that learns the weights of `streams.classify.likeness` from the labelled messages (`make learn`)."""
