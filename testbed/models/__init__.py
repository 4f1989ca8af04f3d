"""The models of the testbed, as SavedModels with random weights: latency does not depend on the weights."""
