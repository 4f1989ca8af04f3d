"""Diagrams for the docs, drawn by code: how requests are served, the loop, regions, distance."""
