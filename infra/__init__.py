"""Infrastructure: its description, and what delivers to it."""
