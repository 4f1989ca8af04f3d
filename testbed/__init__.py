"""The real testbed. Empty until it is built; the simulator is the only system so far."""
