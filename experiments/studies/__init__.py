"""Small studies beside the paper's figures: each runs by itself and leaves a figure with its numbers."""
