"""One module per figure of the paper; each reads results and returns a picture, and runs nothing."""
