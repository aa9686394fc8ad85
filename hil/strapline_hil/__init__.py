"""The bench: boards on a desk."""
