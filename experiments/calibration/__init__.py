"""From a machine to a simulator of it: what is measured, and how well the simulator then foretells."""
