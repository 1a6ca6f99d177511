"""Headline figures of the product, each made by one command; no part of the wheel."""
