"""Our value for each computed claim: a module per kind of claim; ``registry`` knows which is whose."""
